"""What people say of answers, and the queue of answers to be judged."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import Depends, Query, Response

from contracts.access.feedback_labels import FeedbackLabels
from contracts.core.base import Moment
from contracts.core.pages import Page
from contracts.improvement.feedback import (
    Agreement,
    BlindComparison,
    ComparedBy,
    ExportFormat,
    ExportSplit,
    Feedback,
    FeedbackCreate,
    FeedbackDeleted,
    Review,
    ReviewCreate,
    ReviewEnd,
    ReviewNext,
    ReviewsCreated,
    ReviewState,
    ReviewTake,
)
from contracts.operations import feedback as operations
from gateway.api.administration import Cursor, Limit
from gateway.api.openapi_parts import ERRORS, binary, relay, serve
from gateway.auth.keys import Principal
from gateway.dependencies import Deps, Key
from gateway.feedback.agreement import agreements
from gateway.feedback.comparisons import ComparisonFilter, list_pairs
from gateway.feedback.export import FeedbackExport
from gateway.feedback.repository import FeedbackFilter
from gateway.feedback.service import require_all, sees_all
from gateway.guardrails.screen import Screen, encoded
from gateway.streaming.exchange import Exchange, Relay
from gateway.usage.report import period
from servicekit.web.json_bodies import parse
from servicekit.web.router import Router

router = Router(responses=ERRORS)
LINES = "application/jsonl"
PIECE_BYTES = 64 * 1024
_LINES: dict[int | str, dict[str, Any]] = {200: {"content": binary(LINES)}}
FIRST_MOMENT = datetime(1970, 1, 1, tzinfo=UTC)
Name = Annotated[str | None, Query(max_length=200)]
Stars = Literal["up", "down", "1", "2", "3", "4", "5"]


async def seer_of(key: Key) -> Principal:
    """A key that may see what it gave itself; asked before anything else is wrong."""
    key.require(*operations.SEERS)
    return key


async def reviewer_of(key: Key) -> Principal:
    """A key that may see what others of its tenant said."""
    key.require(*operations.REVIEWERS)
    return key


SeerKey = Annotated[Principal, Depends(seer_of)]
ReviewerKey = Annotated[Principal, Depends(reviewer_of)]


@relay(router, operations.GIVE_FEEDBACK)
async def give_feedback(deps: Deps, key: Key) -> Any:
    """Say what an answer, a sentence or a citation was worth, by the id of the completion; said again it is replaced.
    An answer that is not on record may be rated, too."""
    key.require(*operations.GIVE_FEEDBACK.scopes)

    async def work(exchange: Exchange) -> None:
        async with deps.metered(exchange, key, "feedback") as call:
            body = await exchange.body()
            screen = Screen(key.guardrails, operations.GIVE_FEEDBACK.reach)
            wanted = await screen.question(await parse(FeedbackCreate, body), len(body))
            await deps.reserve(exchange, call)
            given, is_new = await deps.feedback.give(key, wanted)
            call.status = 201 if is_new else 200
            await call.finish()
            exchange.headers.update(screen.header())
            await exchange.answer(
                call.status, {"content-type": "application/json"}, encoded(given.model_dump(mode="json"))
            )

    return Relay(work)


@serve(router, operations.LIST_FEEDBACK)
async def list_feedback(
    deps: Deps,
    key: SeerKey,
    answer_id: Name = None,
    user: Name = None,
    rating: Stars | None = None,
    label: Name = None,
    model: Name = None,
    collection: Name = None,
    mine: bool = False,
    start: Annotated[Moment | None, Query(alias="from")] = None,
    end: Annotated[Moment | None, Query(alias="to")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Feedback]:
    """What people said, the newest first: all of the tenant's for a key with `feedback:review` that is not limited to
    some models or collections, what it gave itself for any other."""
    since, until = period(start or FIRST_MOMENT, end or deps.clock.now() + timedelta(days=1), deps.clock.now())
    asked = FeedbackFilter(None, answer_id, user, rating, label, model, collection, since, until)
    return await deps.feedback.list_feedback(key, asked, limit, cursor, mine=mine)


@serve(router, operations.DELETE_FEEDBACK)
async def delete_feedback(deps: Deps, key: ReviewerKey, user: Name = None, answer_id: Name = None) -> FeedbackDeleted:
    """Delete all that a person said, or all that was said of an answer."""
    return FeedbackDeleted(deleted=await deps.feedback.delete_all(key, user, answer_id))


@serve(router, operations.LIST_LABELS)
async def list_labels(deps: Deps, key: SeerKey) -> FeedbackLabels:
    """The closed set of labels. An administrator changes it with `PATCH /v1/tenants/{name}`."""
    return FeedbackLabels(labels=(await deps.tenants.get_tenant(key.tenant)).feedback_labels)


@serve(router, operations.GET_AGREEMENT)
async def get_agreement(deps: Deps, key: ReviewerKey, user: Name = None, other: Name = None) -> Page[Agreement]:
    """How far people agree on what both have rated (Cohen's kappa), those with most in common first."""
    require_all(key)
    return Page[Agreement](data=await agreements(deps.database, key.tenant, user, other))


@serve(router, operations.LIST_COMPARISONS)
async def list_comparisons(
    deps: Deps,
    key: SeerKey,
    model: Name = None,
    other: Name = None,
    by: ComparedBy = "target",
    start: Annotated[Moment | None, Query(alias="from")] = None,
    end: Annotated[Moment | None, Query(alias="to")] = None,
) -> Page[BlindComparison]:
    """Which of two targets people chose who did not see which one an answer was of, those most compared first: all
    choices of the tenant's people, or of a key that does not see these its own. Only answers on record count."""
    now = deps.clock.now()
    since, until = period(start or FIRST_MOMENT, end or now + timedelta(days=1), now)
    await deps.feedback.link(key.tenant)
    asked = ComparisonFilter(None if sees_all(key) else key.key_id, model, other, by, since, until)
    return Page[BlindComparison](data=await list_pairs(deps.database, key.tenant, asked))


@serve(router, operations.EXPORT_FEEDBACK, response_class=Response, responses=_LINES)
async def export_feedback(
    deps: Deps,
    key: ReviewerKey,
    kind: Annotated[ExportFormat, Query(alias="format")],
    split: ExportSplit | None = None,
    test_percent: Annotated[int, Query(ge=1, le=50)] = 10,
) -> Any:
    """What people said of answers that are on record, as JSON lines: `preference` (prompt, chosen, rejected) and `kto`
    (prompt, completion, label) in the conversational form that TRL's trainers load, `questions` (question, answers,
    documents, answerable, metadata) as a question set. With `split` no question is in two."""
    require_all(key)

    async def work(exchange: Exchange) -> None:
        exchange.no_body()
        deps.watch(exchange, key)
        lines = FeedbackExport(deps.database, deps.feedback).lines(key.tenant, kind, split, test_percent)
        first = await anext(lines, b"")  # what fails before anything is sent is an ordinary error
        name = f"feedback-{kind}{f'-{split}' if split else ''}.jsonl"
        disposition = {"content-disposition": f'attachment; filename="{name}"'}
        await exchange.start(200, {"content-type": LINES, "x-content-type-options": "nosniff", **disposition})
        piece = bytearray(first)
        async for line in lines:
            piece += line
            if len(piece) > PIECE_BYTES:
                await exchange.piece(bytes(piece))
                piece.clear()
        await exchange.piece(bytes(piece))
        await exchange.end()

    return Relay(work)


@relay(router, operations.DELETE_ONE_FEEDBACK)
async def delete_one(deps: Deps, key: Key) -> Any:
    """Take feedback back: what the key gave itself, or with `feedback:review` any."""
    key.require(*operations.DELETE_ONE_FEEDBACK.scopes)

    async def work(exchange: Exchange) -> None:
        exchange.no_body()
        async with deps.admitted(exchange, key, "feedback") as call:
            await deps.feedback.delete_one(key, exchange.path_params["id"])
            call.status = 204
            await call.finish()
            await exchange.start(204, {})
            await exchange.end()

    return Relay(work)


@serve(router, operations.CREATE_REVIEWS)
async def create_reviews(body: ReviewCreate, deps: Deps, key: ReviewerKey) -> ReviewsCreated:
    """Queue recorded answers to be judged."""
    return await deps.reviews.create_reviews(key, body)


@serve(router, operations.LIST_REVIEWS)
async def list_reviews(
    deps: Deps,
    key: ReviewerKey,
    state: ReviewState | None = None,
    answer_id: Name = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Review]:
    """The queue, the oldest first, with those that have ended."""
    return await deps.reviews.list_reviews(key, state, answer_id, limit, cursor)


@serve(router, operations.TAKE_REVIEW)
async def take_review(body: ReviewTake, deps: Deps, key: ReviewerKey) -> ReviewNext:
    """Take the next answer to be judged, with the answer itself. It is yours until its lease ends; asked again before,
    you get the same with a new lease."""
    return ReviewNext(review=await deps.reviews.take_review(key, body.user, body.lease_seconds))


@serve(router, operations.FINISH_REVIEW)
async def finish_review(id: str, body: ReviewEnd, deps: Deps, key: ReviewerKey) -> Review:  # noqa: A002  # the path's
    """Say that the answer is judged; what it is worth was said with `POST /v1/feedback` before."""
    return await deps.reviews.end_review(key, id, body.user, "done")


@serve(router, operations.SKIP_REVIEW)
async def skip_review(id: str, body: ReviewEnd, deps: Deps, key: ReviewerKey) -> Review:  # noqa: A002  # the path's
    """Say that you can't judge the answer."""
    return await deps.reviews.end_review(key, id, body.user, "skipped")


@serve(router, operations.DELETE_REVIEW)
async def delete_review(id: str, deps: Deps, key: ReviewerKey) -> None:  # noqa: A002  # the path's
    """Take an answer out of the queue."""
    await deps.reviews.delete_review(key, id)
