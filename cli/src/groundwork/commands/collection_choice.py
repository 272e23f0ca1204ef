"""Which collection a command means, and which there are where it named none or one that is not there."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from contracts.core.base import NAME
from groundwork.client import Groundwork
from groundwork.commands.session import Session
from groundwork.errors import ApiError, GroundworkError, NoSuchName

LISTED = 20
"""So many names are listed; `groundwork collection list` has the rest."""


class CollectionUnclear(GroundworkError):
    """No collection was named, and there is not just one."""


def called(value: str | list[str] | None) -> str | list[str] | None:
    """What an argument or option names, a collection or several; raises `NoSuchName` for what none can be called."""
    names = [value] if isinstance(value, str) else value or []
    for name in names:
        if not NAME.fullmatch(name):
            raise NoSuchName("collection", name)
    return value


def choose_collections(session: Session, client: Groundwork, named: Sequence[str]) -> list[str]:
    """Those that were named; without any, the only one that the key may use, which is said.

    Raises `CollectionUnclear` with what there is.
    """
    if named:
        return list(named)
    try:
        names = _first_names(client)
    except ApiError as error:
        if not may_not(error):
            raise
        raise CollectionUnclear("Say which collection: -c NAME. This key may not list them.") from None
    if len(names) != 1:
        raise CollectionUnclear(f"Say which collection: -c NAME. {_listed(names)}" if names else _listed(names))
    session.notes.print(f"In '{names[0]}', the only collection.", style="dim")
    return names


def may_not(error: ApiError) -> bool:
    """Whether the key has no scope for the call."""
    return error.code == "missing_scope"


def list_collections(client: Groundwork) -> str:
    """A sentence that names the collections that the key may use, or says how to make the first; raises `ApiError`."""
    return _listed(_first_names(client))


def _first_names(client: Groundwork) -> list[str]:
    return [one.name for one in islice(client.collections.list(), LISTED + 1)]


def _listed(names: Sequence[str]) -> str:
    if not names:
        return "There is no collection yet; `groundwork ingest FILE… -c NAME` makes one from documents."
    more = ", …" if len(names) > LISTED else ""
    return f"There are: {', '.join(names[:LISTED])}{more} (`groundwork collection list`)."
