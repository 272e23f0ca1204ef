"""Matrices of declarations, by their digest beside them: megabytes that are read once, and not with every change of
what is declared. Those of a row that an earlier release wrote stand in it still."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from inference.declarations.tables import MATRICES, MODELS, PREVIOUS
from inference.errors import DeclarationInvalid

FIELD = "matrices"
"""In what a source holds, or in a part of it, by whichever name."""
Entry = Mapping[str, Any]
Matrices = Mapping[str, Any]


class KnownMatrices:
    """Those of the declarations that were read last."""

    def __init__(self) -> None:
        self._known: Mapping[str, Matrices] = {}

    def joined(self, connection: Connection, entries: Sequence[Entry]) -> list[Entry]:
        """The entries as they were declared; of the matrices those alone are read that are new."""
        wanted = {digest for entry in entries for digest in _digests(entry)}
        known = {digest: self._known[digest] for digest in wanted & self._known.keys()}
        for digest in sorted(wanted - known.keys()):
            query = select(MATRICES.c.content).where(MATRICES.c.digest == digest)
            if (content := connection.execute(query).scalar()) is not None:
                known[digest] = json.loads(content)
        self._known = known
        return [_with(entry, known) for entry in entries]


def keep(connection: Connection, entry: Entry) -> Entry:
    """The entry with digests in place of its matrices, which are kept by them."""

    def kept(found: Any) -> Any:
        if not isinstance(found, Mapping):
            return found
        content = json.dumps(found, separators=(",", ":"))  # in their order, which digests are of
        digest = f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"
        if connection.execute(select(MATRICES.c.digest).where(MATRICES.c.digest == digest)).first() is None:
            connection.execute(insert(MATRICES).values(digest=digest, content=content))
        return digest

    return _changed(entry, kept)


def require_whole(entry: Entry) -> None:
    """Raise `DeclarationInvalid` for an entry that was joined while matrices of it were not there."""
    if missing := _digests(entry):
        raise DeclarationInvalid("source", f"its matrices ({missing[0]}) are not in the database; publish it again")


def delete_unused(connection: Connection) -> None:
    """Those of no declaration any more, nor of one that may come back."""
    kept = set(connection.execute(select(MATRICES.c.digest)).scalars())
    if not kept:
        return
    entries = connection.execute(select(MODELS.c.declaration)).scalars()
    used = {digest for entry in entries for one in (entry, entry.get(PREVIOUS) or {}) for digest in _digests(one)}
    if unused := kept - used:
        connection.execute(delete(MATRICES).where(MATRICES.c.digest.in_(unused)))


def _digests(entry: Entry) -> list[str]:
    found: list[str] = []

    def note(digest: Any) -> Any:
        if isinstance(digest, str):
            found.append(digest)
        return digest

    _changed(entry, note)
    return found


def _with(entry: Entry, matrices: Mapping[str, Matrices]) -> Entry:
    return _changed(entry, lambda found: matrices.get(found, found) if isinstance(found, str) else found)


def _changed(entry: Entry, change: Callable[[Any], Any]) -> Entry:
    """With others in place of the matrices that its source holds, in what was learnt or in a part of that."""
    source = entry.get("source")
    if not isinstance(source, Mapping):
        return entry
    return {**entry, "source": {form: _below(held, change) for form, held in source.items()}}


def _below(held: Any, change: Callable[[Any], Any]) -> Any:
    if not isinstance(held, Mapping):
        return held
    return {name: change(part) if name == FIELD else _below(part, change) for name, part in held.items()}
