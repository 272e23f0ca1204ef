"""Asks what is evaluated: one question, answered as the public API answers a client, with the authority of the
evaluation's key."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict

from contracts.core.errors import ErrorBody
from contracts.improvement.evaluations import SEARCH, EvaluationTarget
from contracts.improvement.question_sets import QuestionRecord
from contracts.retrieval.search import SearchOptions, SearchReply
from lab.evaluations.judging.rubric import Judged
from lab.evaluations.measures import DEPTH, Said
from servicekit.core.errors import PeerError
from servicekit.peers.client import Peer, PeerMalformed

REQUEST_ID = "X-Request-Id"
UNCACHED = {"Cache-Control": "no-cache, no-store"}
"""An answer that is given again costs nothing and takes no time: it would say nothing of the target."""
_NAMES = {"document_id", "source", "title"}
KEPT = ("grounded", "abstained", "answer_kind", "degraded", "receipt")
"""Of what an answer says of itself."""
GONE = frozenset((401, 403, 404))
"""Statuses that hold for every other question, too: the key or the target is gone."""
LATER = frozenset((429, 503))
REFUSED = frozenset((400, 422))
BLOCKED = "content_blocked"
"""The type of an error by which a guardrail, or a model's provider, lets a question or its answer not pass."""
BLOCKS = frozenset((BLOCKED, "content_filter", "content_policy_violation"))
"""Its codes."""
ITS_OWN = frozenset(("context_length_exceeded", "input_too_long")) | BLOCKS
"""Codes of refusals that are of the question's words."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of one question: an answer, or an error that is this question's alone."""

    said: Said
    latency_ms: float
    tokens: int = 0
    answer_id: str | None = None
    error: ErrorBody | None = None
    report: Mapping[str, Any] = field(default_factory=dict)
    citations: Sequence[Mapping[str, Any]] = ()
    """Of documents, with `document_id`, `revision`, `start` and `end`."""
    refused: bool = False
    """Whether the request was refused for what it says, as any other of this target's might be."""
    judged: Judged | None = None
    """What a judge said of it, where one was asked."""


class Target(Protocol):
    """What can be asked."""

    async def ask(self, target: EvaluationTarget, question: QuestionRecord, token: str, request_id: str) -> Answered:
        """One answer; raises a `ServiceError` that is not the question's own: a limit, a part that is away, a key or a
        target that is gone."""


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Message(_Lenient):
    content: str | None = None
    annotations: list[dict[str, Any]] = []


class _Choice(_Lenient):
    message: _Message


class _Completion(_Lenient):
    id: str
    choices: list[_Choice]
    usage: dict[str, Any] | None = None
    groundwork: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class GatewayTarget:
    """The gateway, which answers as its public API does."""

    gateway: Peer
    seconds: float
    headers: Mapping[str, str] = field(default_factory=UNCACHED.copy)

    async def ask(self, target: EvaluationTarget, question: QuestionRecord, token: str, request_id: str) -> Answered:
        """As `Target` says."""
        if target.model.startswith(SEARCH):
            return await self._search(target, question, token, request_id)
        began = time.perf_counter()
        try:
            answer = await self.gateway.call(
                "POST",
                "/v1/answers",
                _Completion,
                token=token,
                body=_Body.model_validate(_body(target, question)),
                headers={REQUEST_ID: request_id, **self.headers},
                timeout_seconds=self.seconds,
            )
        except PeerError as error:
            return _refused(error, began)
        if not answer.choices:
            raise PeerMalformed(self.gateway.name)
        return _answered(answer, _ms(began), question.documents)

    async def _search(
        self, target: EvaluationTarget, question: QuestionRecord, token: str, request_id: str
    ) -> Answered:
        """The documents that a search finds, in its order."""
        options = {} if target.groundwork is None else target.groundwork.model_dump(exclude_unset=True)
        words = question.turns[-1].content if question.turns else question.question
        wanted = SearchOptions.model_validate({"query": words, "limit": DEPTH, "group_by": "document", **options})
        path = f"/v1/collections/{quote(target.model.removeprefix(SEARCH), safe='')}/search"
        headers, began = {REQUEST_ID: request_id}, time.perf_counter()
        try:
            reply = await self.gateway.call(
                "POST", path, SearchReply, token=token, body=wanted, headers=headers, timeout_seconds=self.seconds
            )
        except PeerError as error:
            return _refused(error, began)
        found = [_document(hit.model_dump(include=_NAMES), question.documents) for hit in reply.hits]
        used = reply.usage.embedding_tokens + reply.usage.rerank_tokens
        report = {"sources": found, **({"degraded": reply.degraded} if reply.degraded else {})}
        return Answered(Said(None, sources=found), _ms(began), used, report=report)


class _Body(BaseModel):
    model_config = ConfigDict(extra="allow")


def _refused(error: PeerError, began: float) -> Answered:
    """What is this question's own; raises any other."""
    if error.http_status in GONE or error.http_status in LATER or error.http_status >= 500:
        raise error
    refused = error.http_status in REFUSED and error.code not in ITS_OWN
    return Answered(Said(""), _ms(began), error=error.error, refused=refused)


def _body(target: EvaluationTarget, question: QuestionRecord) -> dict[str, Any]:
    turns = question.turns or []
    messages = [{"role": turn.role, "content": turn.content} for turn in turns]
    body: dict[str, Any] = {**target.parameters, "model": target.model}
    body["messages"] = messages or [{"role": "user", "content": question.question}]
    if target.model.startswith("rag:") or target.groundwork is not None:
        given = {} if target.groundwork is None else target.groundwork.model_dump(mode="json", exclude_unset=True)
        if target.model.startswith("rag:"):
            given["include"] = sorted({*given.get("include", ()), "sources", "receipt"})
        body["groundwork"] = given
    return body


def _answered(answer: _Completion, latency_ms: float, known: Mapping[str, int]) -> Answered:
    message, about = answer.choices[0].message, answer.groundwork or {}
    cited = [one for one in message.annotations if one.get("document_id")]
    sources = about.get("sources")
    said = Said(
        text=message.content or "",
        abstained=about.get("abstained"),
        cited=[_document(one, known) for one in cited],
        supported=[bool(one.get("supported")) for one in cited],
        sources=None if sources is None else [_document(one, known) for one in sources],
    )
    usage = answer.usage or {}
    report = {name: about[name] for name in KEPT if name in about}
    return Answered(said, latency_ms, int(usage.get("total_tokens") or 0), answer.id, None, report, cited)


def names_of(document_id: str, source: str, title: str) -> tuple[str, str, str, str]:
    """What a question may call a document: its id, its source, the file name at the source's end, or its title."""
    return document_id, source, source.replace("\\", "/").rpartition("/")[2], title


def _document(one: Mapping[str, Any], known: Mapping[str, int]) -> str:
    """The name by which the question calls it, else its id."""
    names = names_of(str(one.get("document_id")), str(one.get("source") or ""), str(one.get("title")))
    return next((name for name in names if name in known), names[0])


def _ms(began: float) -> float:
    return round((time.perf_counter() - began) * 1000, 1)
