"""A queue in which tenants take turns, so that one with many calls does not keep the others waiting."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from typing import Generic, TypeVar

import structlog

T = TypeVar("T")
NOBODY: Mapping[str, int] = {}


def caller_tenant() -> str:
    """The tenant whose call is being answered; empty for the service's own calls."""
    return str(structlog.contextvars.get_contextvars().get("tenant", ""))


def caller_is_bulk() -> bool:
    """Whether the call that is being answered is a job's, which gives way to others."""
    return bool(structlog.contextvars.get_contextvars().get("bulk", False))


class FairQueue(Generic[T]):
    """Each tenant's items in the order in which they came; tenants one after another."""

    def __init__(self) -> None:
        self._items: dict[str, deque[T]] = {}
        """By tenant, the one whose turn is next first; tenants that have none are not in it."""

    def __len__(self) -> int:
        """Items of all tenants."""
        return sum(map(len, self._items.values()))

    def extend(self, tenant: str, items: Iterable[T]) -> None:
        """Put a tenant's items behind those that it has."""
        if added := deque(items):
            self._items.setdefault(tenant, deque()).extend(added)

    def of(self, tenant: str) -> Collection[T]:
        """A tenant's items."""
        return self._items.get(tenant, ())

    def popleft(self, held: Mapping[str, int] = NOBODY) -> T:
        """The next item: of the tenant that holds least of what is waited for, of several such the next one's."""
        tenant = min(self._items, key=lambda tenant: held.get(tenant, 0))
        items = self._items.pop(tenant)
        item = items.popleft()
        if items:
            self._items[tenant] = items
        return item

    def remove(self, tenant: str, item: T) -> None:
        """Take out an item that waits no longer."""
        items = self._items[tenant]
        items.remove(item)
        if not items:
            del self._items[tenant]

    def take(self, most: int) -> list[tuple[str, T]]:
        """Up to so many of the next items, one of each tenant after another, with their tenants."""
        taken: list[tuple[str, T]] = []
        while self._items and len(taken) < most:
            for tenant in list(self._items)[: most - len(taken)]:
                items = self._items[tenant]
                taken.append((tenant, items.popleft()))
                if not items:
                    del self._items[tenant]
        return taken

    def requeue(self, items: Iterable[tuple[str, T]], *, last: str) -> None:
        """Put items that were taken, in that order, before all others of their tenants; `last` has had its turn."""
        for tenant, item in reversed(list(items)):
            self._items.setdefault(tenant, deque()).appendleft(item)
        if last in self._items:
            self._items[last] = self._items.pop(last)
