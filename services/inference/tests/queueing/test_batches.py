from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.queueing.batches import Item, Job, QueueBound, TextQueue, finished


def job(*lengths: int, tenant: str = "") -> Job:
    return Job([f"text {number}" for number in range(len(lengths))], lengths, dimensions=4, tenant=tenant)


def drain(queue: TextQueue, budget: int = 60) -> list[list[Item]]:
    drained = []
    while batch := queue.next(budget):
        drained.append(batch)
    return drained


def test_texts_of_several_calls_share_a_batch() -> None:
    queue = TextQueue(waiting_tokens=10_000)
    first, second = job(10), job(12)
    queue.add(first)
    queue.add(second)
    assert [item.job for item in queue.next(100)] == [first, second]


def test_a_batch_holds_the_text_that_waited_longest_and_its_like() -> None:
    queue = TextQueue(waiting_tokens=10_000)
    queue.add(job(20, 200, 21, 5, 190, 19))
    assert [sorted(item.tokens for item in batch) for batch in drain(queue)] == [[20, 21], [200], [5, 19], [190]]


def test_a_text_longer_than_a_batch_goes_alone() -> None:
    queue = TextQueue(waiting_tokens=10_000)
    queue.add(job(500, 500))
    assert [len(batch) for batch in drain(queue)] == [1, 1]


def test_the_line_is_bounded_by_tokens() -> None:
    queue = TextQueue(waiting_tokens=100)
    queue.add(job(60))
    with pytest.raises(QueueBound) as refused:
        queue.add(job(41))
    assert refused.value.waiting == 60
    queue.add(job(40))


def test_one_call_larger_than_the_bound_is_taken_when_nothing_waits() -> None:
    queue = TextQueue(waiting_tokens=100)
    queue.add(job(90, 90))
    drain(queue)
    queue.add(job(90, 90))


def test_texts_of_a_caller_that_left_are_dropped_and_free_their_room() -> None:
    queue = TextQueue(waiting_tokens=100)
    left, stays = job(90), job(90)
    queue.add(left)
    left.abandoned = True
    assert queue.next(100) == []
    queue.add(stays)
    assert [item.job for item in queue.next(100)] == [stays]


@given(
    st.lists(st.lists(st.integers(1, 256), min_size=1, max_size=20), min_size=1, max_size=8),
    st.integers(64, 2048),
)
def test_every_text_is_in_exactly_one_batch_and_no_batch_is_above_the_budget(
    calls: list[list[int]], budget: int
) -> None:
    queue = TextQueue(waiting_tokens=10**9)
    jobs = [job(*lengths) for lengths in calls]
    for one in jobs:
        queue.add(one)
    done: list[Job] = []
    for batch in drain(queue, budget):
        assert len(batch) == 1 or max(item.tokens for item in batch) * len(batch) <= budget
        done += finished(batch, np.array([[item.index] * 4 for item in batch], dtype=np.float32))
    assert {id(one) for one in done} == {id(one) for one in jobs}
    assert len(done) == len(jobs)
    assert queue.inputs == 0
    for one in jobs:
        np.testing.assert_array_equal(one.vectors[:, 0], np.arange(len(one.texts)))


def test_a_tenant_with_one_text_waits_for_one_batch_of_another_s_thousand() -> None:
    queue = TextQueue(waiting_tokens=10**9)
    many, one = job(*[200] * 1000, tenant="acme"), job(9, tenant="beta")
    queue.add(many)
    assert {item.job.tenant for item in queue.next(1000)} == {"acme"}
    queue.add(one)
    batches = [queue.next(1000), queue.next(1000)]
    assert one in {item.job for batch in batches for item in batch}


def test_a_line_that_one_tenant_fills_has_room_for_another_one() -> None:
    queue = TextQueue(waiting_tokens=100)
    queue.add(job(60, 40, tenant="acme"))
    with pytest.raises(QueueBound):
        queue.add(job(1, tenant="acme"))
    queue.add(job(50, tenant="beta"))
    with pytest.raises(QueueBound):
        queue.add(job(60, tenant="gamma"))
