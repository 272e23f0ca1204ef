"""Search requests, filters and hits."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from contracts.core.abstention import Abstain
from contracts.core.base import Count, Name, Reply, Request
from contracts.core.values import check_number, check_text

SearchMode = Literal["hybrid", "dense", "sparse"]
_KEY = r"^(metadata\.[^\s.\"\[\]]{1,100}(\.[^\s.\"\[\]]{1,100}){0,7}|document_id|title|source|media_type|page)$"


def _names_a_key(value: str) -> str:
    check_text(value)
    if re.fullmatch(_KEY, value) is None:
        raise ValueError(
            "must be document_id, title, source, media_type, page or metadata.<key>, where the key has up to 8 parts "
            "of up to 100 characters, with dots between them and without spaces, quotes and square brackets"
        )
    return value


def _can_be_matched(value: object) -> object:
    """Say in one sentence what is wrong with `match`."""
    several = isinstance(value, list)
    values = value if isinstance(value, list) else [value]
    if several and not 1 <= len(values) <= MAX_MATCHES:
        raise ValueError(f"a list must have 1 to {MAX_MATCHES} values; there are {len(values)}")
    for each in values:
        if isinstance(each, str):
            check_text(each)
        elif isinstance(each, int | float):
            check_number(each)
        elif several or each is not None:
            raise ValueError("must be a text, a number or a boolean, or a list of these")
    return value


MAX_QUERY_CHARS = 32_768
MAX_MATCHES = 256
FilterKey = Annotated[str, AfterValidator(_names_a_key), Field(json_schema_extra={"pattern": _KEY})]
Scalar = str | int | float | bool
Bound = Annotated[float, Field(strict=True, allow_inf_nan=False)]
"""A number. Not a text that looks like one, since `match` tells them apart, too."""


class Range(Request):
    """Bounds of a number; at least one."""

    gt: Bound | None = None
    gte: Bound | None = None
    lt: Bound | None = None
    lte: Bound | None = None

    @model_validator(mode="after")
    def _some_bound(self) -> Range:
        if self.gt is None and self.gte is None and self.lt is None and self.lte is None:
            raise ValueError("give at least one of gt, gte, lt, lte")
        return self


class Condition(Request):
    """One test of one key: `match` (equal to the value, or to any of a list) or `range`."""

    key: FilterKey
    match: Annotated[
        Scalar | Annotated[list[Scalar], Field(min_length=1, max_length=MAX_MATCHES)] | None,
        BeforeValidator(_can_be_matched),
    ] = None
    range: Range | None = None

    @model_validator(mode="after")
    def _one_test(self) -> Condition:
        if (self.match is None) == (self.range is None):
            raise ValueError("give exactly one of match and range")
        return self


class Filter(Request):
    """All of `must`, at least one of `should` (if any), none of `must_not`. A missing key matches nothing."""

    must: Annotated[list[Condition], Field(max_length=64)] = Field(default_factory=list)
    should: Annotated[list[Condition], Field(max_length=64)] = Field(default_factory=list)
    must_not: Annotated[list[Condition], Field(max_length=64)] = Field(default_factory=list)


DEFAULT_MODEL = "default"
RerankModel = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class SearchOptions(Request):
    """Body of the public `POST /v1/collections/{name}/search`."""

    query: Annotated[str, StringConstraints(min_length=1, max_length=MAX_QUERY_CHARS)]
    limit: Annotated[int, Field(ge=1, le=100)] = 10
    offset: Annotated[int, Field(ge=0, le=10_000)] = 0
    filter: Filter | None = None
    mode: SearchMode | None = None
    """By meaning, by words, or both; null: as the collection says, and of several that differ `hybrid`."""
    rerank: bool | None = None
    """Whether a rerank model orders the hits; unsaid, as the collection says."""
    rerank_model: RerankModel | None = None
    """Which one, such as a tuned one; with it the hits are reranked unless `rerank` says otherwise. Unsaid, the
    collection's, or else the default one."""
    group_by: Literal["document"] | None = None
    min_score: Annotated[float, Field(allow_inf_nan=False)] | None = None
    neighbours: Annotated[int, Field(ge=0, le=3)] = 0
    """How many chunks before and after each hit come with it."""
    generation: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    """Of one collection, an index that a reindex with `switch: false` has built beside the one that serves; null for
    that."""


class SearchRequest(SearchOptions):
    """The retriever's own form: the same over one or several collections."""

    collections: Annotated[list[Name], Field(min_length=1, max_length=16)]


class Scores(Reply):
    """A hit's score in each list that it was found in; null where it was not."""

    dense: float | None = None
    sparse: float | None = None
    fused: float | None = None
    rerank: float | None = None


class Neighbour(Reply):
    """A chunk near a hit in the same revision. `text` is the characters `start..end` of the document's text."""

    chunk_id: str
    text: str
    page: Count | None = None
    heading_path: list[str] = Field(default_factory=list)
    start: Count
    end: Count


class Hit(Reply):
    """One chunk found. `text` is the characters `start..end` of the document's text of `revision`."""

    collection: str
    document_id: str
    revision: Count
    chunk_id: str
    title: str
    source: str
    text: str
    score: float
    scores: Scores
    page: Count | None = None
    heading_path: list[str] = Field(default_factory=list)
    start: Count
    end: Count
    metadata: dict[str, Any] = Field(default_factory=dict)
    neighbours: list[Neighbour] = Field(default_factory=list)
    """In the document's order, if the request asks for them; each chunk comes once in a reply, as hit or neighbour."""

    @property
    def titled(self) -> str:
        """What a rerank model reads: title and headings, as they were embedded with it, then the text."""
        path = self.heading_path
        names = path if path and path[0] == self.title else [self.title, *path]
        header = " > ".join(name for name in names if name)
        return f"{header}\n{self.text}" if header else self.text


class SearchUsage(Reply):
    """Metered work of one search, also of what failed later.

    `embeddings` has the tokens that each embedding model read, `embedding_tokens` their sum; `embedding_model` is the
    one model of them, null of several or none.
    """

    embedding_tokens: Count = 0
    embedding_model: str | None = None
    embeddings: dict[str, Count] = Field(default_factory=dict)
    rerank_tokens: Count = 0
    rerank_model: str | None = None
    """The one that was named, for the search or its collections; null for the default one."""


class SearchReply(Reply):
    """Hits in descending score. `collection_revision` was read before the search ran.

    With several collections `collection_revisions` has each; `collection_revision` is then their sum.
    """

    hits: list[Hit]
    degraded: list[str] = Field(default_factory=list)
    timings: dict[str, float] = Field(default_factory=dict)
    """Milliseconds by stage."""
    usage: SearchUsage = SearchUsage()
    abstain: Abstain | None = None
    """Who decides that there is no answer, as the collections say; null where they don't, or differ."""
    unrelated_cosine: float = 0.0
    """What `usage.embedding_model` gives texts that have nothing to do with each other; 0 where nobody has said it."""
    collection_revision: Count
    collection_revisions: dict[str, Count] = Field(default_factory=dict)
