from __future__ import annotations

from inference.queueing.fair_queue import FairQueue


def _filled(**items: str) -> FairQueue[str]:
    queue: FairQueue[str] = FairQueue()
    for tenant, letters in items.items():
        queue.extend(tenant, letters)
    return queue


def test_tenants_take_turns() -> None:
    queue = _filled(acme="abc", beta="x")
    assert [queue.popleft() for _ in range(4)] == ["a", "x", "b", "c"]


def test_the_tenant_that_holds_least_comes_first() -> None:
    assert _filled(acme="a", beta="x").popleft({"acme": 2, "beta": 1}) == "x"


def test_items_are_taken_one_of_each_tenant_after_another() -> None:
    queue = _filled(acme="abc", beta="xy")
    assert queue.take(4) == [("acme", "a"), ("beta", "x"), ("acme", "b"), ("beta", "y")]
    assert len(queue) == 1


def test_what_is_requeued_comes_before_the_rest_and_the_served_tenant_last() -> None:
    queue = _filled(acme="abc", beta="xy")
    queue.requeue(queue.take(3)[1:], last="acme")
    assert [queue.popleft() for _ in range(len(queue))] == ["x", "b", "y", "c"]


def test_a_removed_item_is_gone_and_an_empty_tenant_forgotten() -> None:
    queue = _filled(acme="a")
    queue.remove("acme", "a")
    assert (len(queue), list(queue.of("acme"))) == (0, [])
