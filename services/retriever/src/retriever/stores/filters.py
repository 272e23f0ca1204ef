"""Filters as the vector stores understand them: tests of indexed tags, of numbers, of ids.

Every `match` becomes a lookup in one indexed field, `tags`, that holds each fact and each metadata value of a
document as `key=value` with its type. So a match costs the same whatever the key (an unindexed field cost 84 ms in
20,000 chunks), a number equals itself whether written 2024 or 2024.0, and `true` never equals 1 or "true".
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from contracts.retrieval.chunks import DocumentFacts
from contracts.retrieval.search import Condition, Filter, Range, Scalar
from retriever.errors import FilterUnusable, MetadataUnusable

MAX_TAGS = 512
MAX_METADATA_BYTES = 65_536
MAX_DEPTH = 8
_PLAIN = 120


@dataclass(frozen=True, slots=True)
class Equals:
    """The indexed field `key` (or one of its elements) is one of `values`."""

    key: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Within:
    """The number at `path` (or one of its elements) lies within the bounds that are not null."""

    path: tuple[str, ...]
    gt: float | None = None
    gte: float | None = None
    lt: float | None = None
    lte: float | None = None


@dataclass(frozen=True, slots=True)
class OneOf:
    """The point's id is one of these."""

    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Where:
    """All of `must`, at least one of `should` (if any), none of `must_not`."""

    must: tuple[Test, ...] = ()
    should: tuple[Test, ...] = ()
    must_not: tuple[Test, ...] = ()


Test = Equals | Within | OneOf | Where


def where(filter: Filter | None) -> Where | None:  # noqa: A002  # the API's word
    """A caller's filter for a store; null when it tests nothing."""
    if filter is None or not (filter.must or filter.should or filter.must_not):
        return None
    return Where(
        must=tuple(map(_test, filter.must)),
        should=tuple(map(_test, filter.should)),
        must_not=tuple(map(_test, filter.must_not)),
    )


def document(document_id: str, *, below: int | None = None, up_to: int | None = None) -> Where:
    """The points of a document, of all revisions or of those `below` one, or `up_to` and with it."""
    bounds = () if below is None and up_to is None else (Within(("revision",), lt=below, lte=up_to),)
    return Where(must=(Equals("document_id", (document_id,)), *bounds))


def revision(document_id: str, number: int, *, from_ordinal: int | None = None) -> Where:
    """The points of one revision, all or those whose ordinal is at least `from_ordinal`."""
    tail = () if from_ordinal is None else (Within(("ordinal",), gte=from_ordinal),)
    return Where(must=(Equals("document_id", (document_id,)), Within(("revision",), gte=number, lte=number), *tail))


def tags(document_id: str, facts: DocumentFacts, page: int | None) -> list[str]:
    """What a chunk can be matched by; raises `MetadataUnusable`."""
    fixed: dict[str, JsonValue] = {
        "document_id": document_id,
        "title": facts.title,
        "source": facts.source,
        "media_type": facts.media_type,
        "page": page,
    }
    found = {_tag(key, value) for key, value in fixed.items() if isinstance(value, str | int)}
    if _json_bytes(facts.metadata) > MAX_METADATA_BYTES:
        raise MetadataUnusable(f"it is larger than {MAX_METADATA_BYTES:,} bytes of JSON")
    found.update(_tag(".".join(path), value) for path, value in _leaves(("metadata",), facts.metadata, MAX_DEPTH))
    if len(found) > MAX_TAGS:
        raise MetadataUnusable(f"it has more than {MAX_TAGS} values to filter by")
    return sorted(found)


def path_of(path: Sequence[str]) -> str:
    """A payload path in Qdrant's syntax; parts below the first are a caller's words, so they are quoted."""
    return ".".join((path[0], *(f'"{part}"' for part in path[1:])))


def number_paths(metadata: Mapping[str, JsonValue]) -> set[str]:
    """The payload paths in a document's metadata that hold numbers, and so can be tested by range."""
    numbers = (path for path, value in _leaves(("metadata",), dict(metadata), MAX_DEPTH) if _is_number(value))
    return {path_of(path) for path in numbers if not any('"' in part or "\\" in part for part in path)}


def _json_bytes(metadata: Mapping[str, JsonValue]) -> int:
    return len(json.dumps(metadata, ensure_ascii=False).encode())


def _test(condition: Condition) -> Test:
    if condition.range is not None:
        if "\\" in condition.key:
            raise FilterUnusable(condition.key)
        return _within(tuple(condition.key.split(".")), condition.range)
    assert condition.match is not None
    values = condition.match if isinstance(condition.match, list) else [condition.match]
    return Equals("tags", tuple(_tag(condition.key, value) for value in values))


def _within(path: tuple[str, ...], bounds: Range) -> Within:
    """At most one lower and one upper bound, the tighter one: an engine reads only one of `gt` and `gte`."""
    gt, gte, lt, lte = bounds.gt, bounds.gte, bounds.lt, bounds.lte
    if gt is not None and gte is not None:
        gt, gte = (gt, None) if gt >= gte else (None, gte)
    if lt is not None and lte is not None:
        lt, lte = (lt, None) if lt <= lte else (None, lte)
    return Within(path, gt=gt, gte=gte, lt=lt, lte=lte)


def _tag(key: str, value: Scalar) -> str:
    tag = f"{key}={_canonical(value)}"
    return tag if len(tag) <= _PLAIN else "#" + hashlib.blake2b(tag.encode(), digest_size=16).hexdigest()


def _canonical(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value, ensure_ascii=False)


def _is_number(value: Scalar) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _leaves(path: tuple[str, ...], value: JsonValue, depth: int) -> Iterator[tuple[tuple[str, ...], Scalar]]:
    """The values below a path; an array's elements have the array's own path, as a filter's key means them."""
    if isinstance(value, Mapping):
        if depth > 0:
            for key, inner in value.items():
                yield from _leaves((*path, key), inner, depth - 1)
    elif isinstance(value, list):
        for inner in value:
            if isinstance(inner, str | int | float):
                yield path, inner
    elif value is not None:
        yield path, value
