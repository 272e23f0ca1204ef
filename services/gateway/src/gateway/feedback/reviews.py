"""The queue of answers to be judged: each is one person's for a bounded time, and nobody's after it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Update, and_, delete, exists, func, or_, select, update
from sqlalchemy.engine import RowMapping
from sqlalchemy.exc import IntegrityError

from contracts.core.pages import Page
from contracts.improvement.feedback import JudgedAnswer, Review, ReviewCreate, ReviewsCreated, ReviewState
from gateway.auth.keys import Principal
from gateway.feedback.answers import RecordedAnswer
from gateway.feedback.errors import NotJudged, ReviewEnded, ReviewNotFound, ReviewNotYours, ReviewQueueFull
from gateway.feedback.service import FeedbackService, person_of, require_all
from gateway.storage.tables import feedback, reviews
from servicekit.core.clock import Clock
from servicekit.core.cursors import decode_cursor, encode_cursor
from servicekit.core.identifiers import new_id
from servicekit.sql.database import Database, rows_of
from servicekit.sql.upserts import upsert

MOST_OPEN = 10_000
"""Reviews of a tenant that may wait."""
TRIES = 5
"""How often a review that another one took meanwhile is looked for again."""


class Reviews:
    """Queues, assigns and ends reviews of one tenant's answers. A limited key: `WholeTenantNeeded`."""

    def __init__(self, database: Database, feedback: FeedbackService, clock: Clock) -> None:
        self._database = database
        self._feedback = feedback
        self._clock = clock

    async def create_reviews(self, principal: Principal, wanted: ReviewCreate) -> ReviewsCreated:
        """Queue answers that are on record; what is queued already stays as it is. Raises `ReviewQueueFull`."""
        require_all(principal)
        found = await self._feedback.answers.get_answers(principal.tenant, wanted.answer_ids)
        known = [each for each in dict.fromkeys(wanted.answer_ids) if each in found and found[each].has_words]
        rows = [
            {"id": new_id("rev"), "tenant": principal.tenant, "answer_id": answer_id, "number": number,
             "state": "open", "created_at": self._clock.now()}
            for answer_id in known
            for number in range(wanted.reviewers)
        ]  # fmt: skip
        open_ones = select(func.count()).where(reviews.c.tenant == principal.tenant, reviews.c.state == "open")

        def work(connection: Connection) -> int:
            if rows and connection.execute(open_ones).scalar_one() + len(rows) > MOST_OPEN:
                raise ReviewQueueFull(MOST_OPEN)
            insert = upsert(connection.dialect, reviews).on_conflict_do_nothing().returning(reviews.c.id)
            return sum(len(connection.execute(insert.values(**row)).all()) for row in rows)

        queued = await self._database.write(work)
        return ReviewsCreated(queued=queued, unknown=[each for each in wanted.answer_ids if each not in known])

    async def list_reviews(
        self, principal: Principal, state: ReviewState | None, answer_id: str | None, limit: int, cursor: str | None
    ) -> Page[Review]:
        """The queue, the oldest first."""
        require_all(principal)
        query = select(reviews).where(reviews.c.tenant == principal.tenant).order_by(reviews.c.id).limit(limit + 1)
        now = self._clock.now()
        if state is not None:
            query = query.where(_in_state(state, now))
        if answer_id is not None:
            query = query.where(reviews.c.answer_id == answer_id)
        if cursor:
            query = query.where(reviews.c.id > str(decode_cursor(cursor, str)[0]))
        rows = await self._database.read(rows_of(query))
        more = encode_cursor(rows[limit - 1]["id"]) if len(rows) > limit else None
        return Page[Review](data=[_review_of(row, now) for row in rows[:limit]], next_cursor=more)

    async def take_review(self, principal: Principal, user: str | None, lease_seconds: int) -> Review | None:
        """Give a person the review that they have already, or the oldest that is free and of an answer of which they
        have said nothing, in a review or elsewhere; its lease begins anew. Null when there is none."""
        require_all(principal)
        person, now = person_of(principal, user), self._clock.now()
        until = now + timedelta(seconds=lease_seconds)
        for _ in range(TRIES):
            try:
                row = await self._database.write(
                    lambda connection: _first(connection, _leases(principal.tenant, person, now, until))
                )
            except IntegrityError:  # the same person took another review of that answer at the same time
                continue
            if row is not None:
                found = await self._feedback.answers.get_answers(principal.tenant, [row["answer_id"]])
                return _review_of(row, now, found.get(row["answer_id"]))
            if not await self._has_free(principal.tenant, person, now):
                return None
        return None

    async def end_review(self, principal: Principal, review_id: str, user: str | None, state: ReviewState) -> Review:
        """End a review as done or skipped; again changes nothing.

        Raises `ReviewNotFound`, `ReviewNotYours`, `ReviewEnded`, or `NotJudged` for done without any feedback.
        """
        require_all(principal)
        person, now = person_of(principal, user), self._clock.now()
        row = await self._get(principal.tenant, review_id)
        if row["reviewer"] == person and row["state"] == state:
            return _review_of(row, now)
        _require_held(row, person)
        if state == "done" and not await self._feedback.has_judged(principal.tenant, row["answer_id"], person):
            raise NotJudged
        change = (
            update(reviews)
            .where(reviews.c.id == review_id, reviews.c.state == "open", reviews.c.reviewer == person)
            .values(state=state, ended_at=now)
            .returning(*reviews.c)
        )
        ended = await self._database.write(lambda connection: _first(connection, [change]))
        if ended is None:  # taken, or ended, since
            raise ReviewNotYours
        return _review_of(ended, now)

    async def delete_review(self, principal: Principal, review_id: str) -> None:
        """Take one out of the queue; raises `ReviewNotFound`."""
        require_all(principal)
        change = delete(reviews).where(reviews.c.tenant == principal.tenant, reviews.c.id == review_id)
        if not await self._database.write(lambda connection: connection.execute(change).rowcount):
            raise ReviewNotFound(review_id)

    async def _get(self, tenant: str, review_id: str) -> RowMapping:
        query = select(reviews).where(reviews.c.tenant == tenant, reviews.c.id == review_id)
        rows = await self._database.read(rows_of(query))
        if not rows:
            raise ReviewNotFound(review_id)
        return rows[0]

    async def _has_free(self, tenant: str, person: str, now: datetime) -> bool:
        return bool(
            await self._database.read(rows_of(select(reviews.c.id).where(*_free(tenant, person, now)).limit(1)))
        )


def _leases(tenant: str, person: str, now: datetime, until: datetime) -> list[Update]:
    """What gives a person a review: the one that they hold, else the oldest free one."""
    held = and_(reviews.c.tenant == tenant, reviews.c.state == "open", reviews.c.reviewer == person)
    held_now = select(reviews.c.id).where(held, reviews.c.lease_until > now).order_by(reviews.c.id).limit(1)
    free = select(reviews.c.id).where(*_free(tenant, person, now)).order_by(reviews.c.id).limit(1)
    free = free.with_for_update(skip_locked=True)  # of PostgreSQL; SQLite has one writer
    given = {"reviewer": person, "lease_until": until}
    still_free = or_(reviews.c.lease_until.is_(None), reviews.c.lease_until <= now)
    return [
        update(reviews).where(reviews.c.id == held_now.scalar_subquery(), held).values(**given).returning(*reviews.c),
        update(reviews)
        .where(reviews.c.id == free.scalar_subquery(), reviews.c.state == "open", still_free)
        .values(**given)
        .returning(*reviews.c),
    ]


def _free(tenant: str, person: str, now: datetime) -> list[ColumnElement[bool]]:
    other = reviews.alias("other")
    had = and_(other.c.tenant == tenant, other.c.answer_id == reviews.c.answer_id, other.c.id != reviews.c.id)
    said = and_(feedback.c.tenant == tenant, feedback.c.answer_id == reviews.c.answer_id, feedback.c.person == person)
    began = reviews.c.reviewer == person  # it was theirs until its lease ended: what they said then, they said in it
    return [
        reviews.c.tenant == tenant,
        _in_state("open", now),
        ~exists().where(had, other.c.reviewer == person).correlate(reviews),
        or_(began, ~exists().where(said).correlate(reviews)),
    ]


def _in_state(state: ReviewState, now: datetime) -> ColumnElement[bool]:
    leased = reviews.c.lease_until > now
    if state == "leased":
        return and_(reviews.c.state == "open", leased)
    if state == "open":
        return and_(reviews.c.state == "open", or_(reviews.c.lease_until.is_(None), ~leased))
    return reviews.c.state == state


def _first(connection: Connection, changes: Sequence[Update]) -> RowMapping | None:
    """The row that the first change that changes one has changed."""
    for change in changes:
        row = connection.execute(change).mappings().first()
        if row is not None:
            return row
    return None


def _require_held(row: RowMapping, person: str) -> None:
    if row["state"] != "open":
        raise ReviewEnded(row["state"])
    if row["reviewer"] != person:
        raise ReviewNotYours


def _review_of(row: RowMapping, now: datetime, answer: RecordedAnswer | None = None) -> Review:
    leased = row["state"] == "open" and row["lease_until"] is not None and row["lease_until"] > now
    known = None
    if answer is not None:
        known = JudgedAnswer(
            question=answer.question,
            answer=answer.answer,
            citations=list(answer.citations),
            model=answer.model,
            prompt=answer.prompt,
            collections=list(answer.collections),
            created_at=answer.created_at,
        )
    return Review.model_validate({**row, "state": "leased" if leased else row["state"], "answer": known})
