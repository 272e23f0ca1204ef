from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.batching import Batches, Item, Job, QueueBound, finished


def job(*lengths: int) -> Job:
    return Job([f"text {number}" for number in range(len(lengths))], lengths, dimensions=4)


def drain(batches: Batches, budget: int = 60) -> list[list[Item]]:
    drained = []
    while batch := batches.next(budget):
        drained.append(batch)
    return drained


def test_a_query_comes_before_bulk_that_waited_longer() -> None:
    batches = Batches(waiting_tokens=10_000)
    bulk, query = job(50, 50, 50, 50), job(10)
    batches.add(bulk, "bulk")
    assert {id(item.job) for item in batches.next(100)} == {id(bulk)}
    batches.add(query, "query")
    assert [item.job for item in batches.next(100)] == [query]
    assert {id(item.job) for item in batches.next(100)} == {id(bulk)}


def test_queries_of_several_calls_share_a_batch() -> None:
    batches = Batches(waiting_tokens=10_000)
    first, second = job(10), job(12)
    batches.add(first, "query")
    batches.add(second, "query")
    assert [item.job for item in batches.next(100)] == [first, second]


def test_a_batch_holds_the_text_that_waited_longest_and_its_like() -> None:
    batches = Batches(waiting_tokens=10_000)
    batches.add(job(20, 200, 21, 5, 190, 19), "bulk")
    assert [sorted(item.tokens for item in batch) for batch in drain(batches)] == [[20, 21], [200], [5, 19], [190]]


def test_a_text_longer_than_a_batch_goes_alone() -> None:
    batches = Batches(waiting_tokens=10_000)
    batches.add(job(500, 500), "bulk")
    assert [len(batch) for batch in drain(batches)] == [1, 1]


def test_the_queue_is_bounded_by_tokens_for_each_priority() -> None:
    batches = Batches(waiting_tokens=100)
    batches.add(job(60), "bulk")
    with pytest.raises(QueueBound) as refused:
        batches.add(job(41), "bulk")
    assert refused.value.waiting == 60
    batches.add(job(41), "query")
    batches.add(job(40), "bulk")


def test_one_call_larger_than_the_bound_is_taken_when_nothing_waits() -> None:
    batches = Batches(waiting_tokens=100)
    batches.add(job(90, 90), "bulk")
    drain(batches)
    batches.add(job(90, 90), "bulk")


def test_texts_of_a_caller_that_left_are_dropped_and_free_their_room() -> None:
    batches = Batches(waiting_tokens=100)
    left, stays = job(90), job(90)
    batches.add(left, "bulk")
    left.abandoned = True
    assert batches.next(100) == []
    batches.add(stays, "bulk")
    assert [item.job for item in batches.next(100)] == [stays]


@given(
    st.lists(st.lists(st.integers(1, 256), min_size=1, max_size=20), min_size=1, max_size=8),
    st.integers(64, 2048),
)
def test_every_text_is_in_exactly_one_batch_and_no_batch_is_above_the_budget(
    calls: list[list[int]], budget: int
) -> None:
    batches = Batches(waiting_tokens=10**9)
    jobs = [job(*lengths) for lengths in calls]
    for one in jobs:
        batches.add(one, "bulk")
    done: list[Job] = []
    for batch in drain(batches, budget):
        assert len(batch) == 1 or max(item.tokens for item in batch) * len(batch) <= budget
        done += finished(batch, np.array([[item.index] * 4 for item in batch], dtype=np.float32))
    assert {id(one) for one in done} == {id(one) for one in jobs}
    assert len(done) == len(jobs)
    assert batches.inputs == 0
    for one in jobs:
        np.testing.assert_array_equal(one.vectors[:, 0], np.arange(len(one.texts)))
