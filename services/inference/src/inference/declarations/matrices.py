"""Matrices of declarations, by their digest beside them: megabytes that are read once, and not with every change of
what is declared. Those of a row that an earlier release wrote stand in it still."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from inference.declarations.tables import MATRICES, MODELS, PREVIOUS

FIELD = "matrices"
"""In what a source holds, by whichever name."""
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
    found = {form: held[FIELD] for form, held in _holders(entry) if isinstance(held[FIELD], Mapping)}
    source = dict(entry["source"]) if found else {}
    for form, matrices in found.items():
        content = json.dumps(matrices, separators=(",", ":"))  # in their order, which digests are of
        digest = f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"
        if connection.execute(select(MATRICES.c.digest).where(MATRICES.c.digest == digest)).first() is None:
            connection.execute(insert(MATRICES).values(digest=digest, content=content))
        source[form] = {**source[form], FIELD: digest}
    return {**entry, "source": source} if found else entry


def delete_unused(connection: Connection) -> None:
    """Those of no declaration any more, nor of one that may come back."""
    kept = set(connection.execute(select(MATRICES.c.digest)).scalars())
    if not kept:
        return
    entries = connection.execute(select(MODELS.c.declaration)).scalars()
    used = {digest for entry in entries for one in (entry, entry.get(PREVIOUS) or {}) for digest in _digests(one)}
    if unused := kept - used:
        connection.execute(delete(MATRICES).where(MATRICES.c.digest.in_(unused)))


def _holders(entry: Entry) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """What an entry's source holds that has matrices, by its name."""
    source = entry.get("source")
    for form, held in source.items() if isinstance(source, Mapping) else ():
        if isinstance(held, Mapping) and FIELD in held:
            yield form, held


def _digests(entry: Entry) -> list[str]:
    return [held[FIELD] for _, held in _holders(entry) if isinstance(held[FIELD], str)]


def _with(entry: Entry, matrices: Mapping[str, Matrices]) -> Entry:
    changed = {
        form: {**held, FIELD: matrices[held[FIELD]]}
        for form, held in _holders(entry)
        if isinstance(held[FIELD], str) and held[FIELD] in matrices
    }
    return {**entry, "source": {**entry["source"], **changed}} if changed else entry
