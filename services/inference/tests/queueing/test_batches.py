from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.queueing.batches import Item, Job, Line, QueueBound, finished


def job(*lengths: int, tenant: str = "") -> Job:
    return Job([f"text {number}" for number in range(len(lengths))], lengths, dimensions=4, tenant=tenant)


def drain(line: Line, budget: int = 60) -> list[list[Item]]:
    drained = []
    while batch := line.next(budget):
        drained.append(batch)
    return drained


def test_texts_of_several_calls_share_a_batch() -> None:
    line = Line(waiting_tokens=10_000)
    first, second = job(10), job(12)
    line.add(first)
    line.add(second)
    assert [item.job for item in line.next(100)] == [first, second]


def test_a_batch_holds_the_text_that_waited_longest_and_its_like() -> None:
    line = Line(waiting_tokens=10_000)
    line.add(job(20, 200, 21, 5, 190, 19))
    assert [sorted(item.tokens for item in batch) for batch in drain(line)] == [[20, 21], [200], [5, 19], [190]]


def test_a_text_longer_than_a_batch_goes_alone() -> None:
    line = Line(waiting_tokens=10_000)
    line.add(job(500, 500))
    assert [len(batch) for batch in drain(line)] == [1, 1]


def test_the_line_is_bounded_by_tokens() -> None:
    line = Line(waiting_tokens=100)
    line.add(job(60))
    with pytest.raises(QueueBound) as refused:
        line.add(job(41))
    assert refused.value.waiting == 60
    line.add(job(40))


def test_one_call_larger_than_the_bound_is_taken_when_nothing_waits() -> None:
    line = Line(waiting_tokens=100)
    line.add(job(90, 90))
    drain(line)
    line.add(job(90, 90))


def test_texts_of_a_caller_that_left_are_dropped_and_free_their_room() -> None:
    line = Line(waiting_tokens=100)
    left, stays = job(90), job(90)
    line.add(left)
    left.abandoned = True
    assert line.next(100) == []
    line.add(stays)
    assert [item.job for item in line.next(100)] == [stays]


@given(
    st.lists(st.lists(st.integers(1, 256), min_size=1, max_size=20), min_size=1, max_size=8),
    st.integers(64, 2048),
)
def test_every_text_is_in_exactly_one_batch_and_no_batch_is_above_the_budget(
    calls: list[list[int]], budget: int
) -> None:
    line = Line(waiting_tokens=10**9)
    jobs = [job(*lengths) for lengths in calls]
    for one in jobs:
        line.add(one)
    done: list[Job] = []
    for batch in drain(line, budget):
        assert len(batch) == 1 or max(item.tokens for item in batch) * len(batch) <= budget
        done += finished(batch, np.array([[item.index] * 4 for item in batch], dtype=np.float32))
    assert {id(one) for one in done} == {id(one) for one in jobs}
    assert len(done) == len(jobs)
    assert line.inputs == 0
    for one in jobs:
        np.testing.assert_array_equal(one.vectors[:, 0], np.arange(len(one.texts)))


def test_a_tenant_with_one_text_waits_for_one_batch_of_another_s_thousand() -> None:
    line = Line(waiting_tokens=10**9)
    many, one = job(*[200] * 1000, tenant="acme"), job(9, tenant="beta")
    line.add(many)
    assert {item.job.tenant for item in line.next(1000)} == {"acme"}
    line.add(one)
    batches = [line.next(1000), line.next(1000)]
    assert one in {item.job for batch in batches for item in batch}


def test_a_line_that_one_tenant_fills_has_room_for_another_one() -> None:
    line = Line(waiting_tokens=100)
    line.add(job(60, 40, tenant="acme"))
    with pytest.raises(QueueBound):
        line.add(job(1, tenant="acme"))
    line.add(job(50, tenant="beta"))
    with pytest.raises(QueueBound):
        line.add(job(60, tenant="gamma"))
