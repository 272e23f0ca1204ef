from __future__ import annotations

import asyncio

import pytest
from services.gateway.tests.feedback.recorded import recorded
from services.gateway.tests.installation import Installation

from contracts.improvement.feedback import FeedbackCreate, ReviewCreate, ReviewsCreated
from gateway.auth.keys import Principal
from gateway.feedback import reviews as queue
from gateway.feedback.errors import (
    NotJudged,
    ReviewEnded,
    ReviewNotFound,
    ReviewNotYours,
    ReviewQueueFull,
    WholeTenantNeeded,
)
from gateway.feedback.reviews import Reviews
from servicekit.core.clock import ManualClock

KEY = Principal("key_1", "acme", frozenset({"feedback:review", "feedback:write"}))
STRANGER = Principal("key_2", "strangers", KEY.scopes)


@pytest.fixture
async def reviews(installation: Installation) -> Reviews:
    await installation.principal(tenant="acme")
    for name in ("a", "b"):
        installation.answers.put("acme", recorded(name, "How many days?", "leave.md"))
    return installation.deps.reviews


async def _queue(reviews: Reviews, *names: str, reviewers: int = 1) -> ReviewsCreated:
    return await reviews.create_reviews(KEY, ReviewCreate(answer_ids=list(names), reviewers=reviewers))


async def _take(reviews: Reviews, person: str | None = None, seconds: int = 60) -> tuple[str, str] | None:
    taken = await reviews.take_review(KEY, person, seconds)
    return None if taken is None else (taken.id, taken.answer_id)


async def test_a_review_is_assigned_with_the_answer_and_ends_when_it_was_judged(
    reviews: Reviews, installation: Installation
) -> None:
    assert (await _queue(reviews, "a", "b", "never")).model_dump() == {"queued": 2, "unknown": ["never"]}
    taken = await reviews.take_review(KEY, "ann", 60)
    assert taken is not None
    assert taken.answer is not None
    assert (taken.state, taken.reviewer, taken.answer.question) == ("leased", "ann", "How many days?")
    with pytest.raises(NotJudged):
        await reviews.end_review(KEY, taken.id, "ann", "done")
    said = FeedbackCreate(answer_id=taken.answer_id, user="ann", rating="down")
    await installation.deps.feedback.give(KEY, said)
    for _ in range(2):
        assert (await reviews.end_review(KEY, taken.id, "ann", "done")).state == "done"
    with pytest.raises(ReviewEnded):
        await reviews.end_review(KEY, taken.id, "ann", "skipped")
    listed = await reviews.list_reviews(KEY, "done", None, 10, None)
    assert [one.answer_id for one in listed.data] == ["a"]
    assert await _take(reviews, "ann") is not None
    assert (await _queue(reviews, "a", "b")).queued == 0


async def test_a_lease_keeps_others_away_until_it_ends_and_is_renewed_by_asking_again(
    reviews: Reviews, clock: ManualClock
) -> None:
    await _queue(reviews, "a")
    held = await _take(reviews, "ann")
    assert held is not None
    assert await _take(reviews, "bob") is None
    clock.advance(50)
    assert await _take(reviews, "ann") == held
    clock.advance(50)
    assert await _take(reviews, "bob") is None
    clock.advance(11)
    assert await _take(reviews, "bob") == held
    with pytest.raises(ReviewNotYours):
        await reviews.end_review(KEY, held[0], "ann", "skipped")
    clock.advance(100)
    assert (await reviews.end_review(KEY, held[0], "bob", "skipped")).state == "skipped"  # late, and nobody's meanwhile


async def test_one_answer_is_judged_by_as_many_different_people_as_were_asked_for(reviews: Reviews) -> None:
    assert (await _queue(reviews, "a", reviewers=2)).queued == 2
    first, second = await _take(reviews, "ann"), await _take(reviews, "bob")
    assert first is not None
    assert second is not None
    assert first[0] != second[0]
    assert await _take(reviews, "cem") is None
    await reviews.end_review(KEY, first[0], "ann", "skipped")
    assert await _take(reviews, "ann") is None


async def test_what_somebody_rated_elsewhere_is_another_persons_to_review(
    reviews: Reviews, installation: Installation, clock: ManualClock
) -> None:
    await _queue(reviews, "a", "b")
    await installation.deps.feedback.give(KEY, FeedbackCreate(answer_id="a", user="ann", rating="down"))
    taken = await _take(reviews, "ann")
    assert taken is not None
    assert taken[1] == "b"
    await installation.deps.feedback.give(KEY, FeedbackCreate(answer_id="b", user="ann", rating="up"))
    clock.advance(61)
    assert await _take(reviews, "ann") == taken  # said in this review, which is not done yet
    await reviews.end_review(KEY, taken[0], "ann", "done")
    assert await _take(reviews, "ann") is None
    other = await _take(reviews, "bob")
    assert other is not None
    assert other[1] == "a"


async def test_people_who_ask_at_once_get_different_reviews(reviews: Reviews, installation: Installation) -> None:
    names = [f"n{number}" for number in range(8)]
    for name in names:
        installation.answers.put("acme", recorded(name))
    await _queue(reviews, *names)
    taken = await asyncio.gather(*(_take(reviews, f"p{number}") for number in range(10)))
    assert sorted(one[1] for one in taken if one) == names
    assert taken.count(None) == 2


async def test_nobody_reaches_another_tenants_queue_or_with_a_limited_key(reviews: Reviews) -> None:
    await _queue(reviews, "a")
    held = await _take(reviews)
    assert held is not None
    assert await reviews.take_review(STRANGER, None, 60) is None
    assert (await reviews.list_reviews(STRANGER, None, None, 10, None)).data == []
    with pytest.raises(ReviewNotFound):
        await reviews.end_review(STRANGER, held[0], None, "skipped")
    with pytest.raises(ReviewNotFound):
        await reviews.delete_review(STRANGER, held[0])
    with pytest.raises(WholeTenantNeeded):
        await reviews.take_review(Principal("key_3", "acme", KEY.scopes, models=("m",)), None, 60)
    await reviews.delete_review(KEY, held[0])
    assert (await reviews.list_reviews(KEY, None, None, 10, None)).data == []


async def test_the_queue_is_bounded(reviews: Reviews, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "MOST_OPEN", 1)
    with pytest.raises(ReviewQueueFull):
        await _queue(reviews, "a", "b")
    assert (await _queue(reviews, "a")).queued == 1


async def test_an_answer_whose_record_is_gone_is_assigned_without_it(
    reviews: Reviews, installation: Installation
) -> None:
    await _queue(reviews, "a")
    installation.answers.delete("acme", "a")
    taken = await reviews.take_review(KEY, None, 60)
    assert taken is not None
    assert taken.answer is None
