from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from servicekit.core.garbage import YOUNG, keep_garbage_cheap


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.enable()
    gc.set_threshold(*before)


class Node:
    other: Node


def _circle() -> weakref.ref[Node]:
    one, two = Node(), Node()
    one.other, two.other = two, one
    return weakref.ref(one)


def test_what_a_service_is_built_of_is_not_looked_through_again() -> None:
    built = [Node()]
    keep_garbage_cheap()
    assert gc.get_freeze_count() > 0
    assert not any(one is built for one in gc.get_objects())


def test_garbage_that_comes_later_is_found_all_the_same() -> None:
    keep_garbage_cheap()
    circle = _circle()
    kept = [[] for _ in range(2 * YOUNG)]  # type: list[list[object]]
    assert circle() is None
    assert kept


def test_a_process_that_started_without_looking_for_garbage_looks_for_it() -> None:
    gc.disable()
    keep_garbage_cheap()
    assert gc.isenabled()
