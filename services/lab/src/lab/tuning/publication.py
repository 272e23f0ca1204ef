"""What becomes of what was learnt: served as a model of its tenant, or kept with the reason why not."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote

from contracts.improvement.question_sets import QuestionRecord
from contracts.improvement.tuning import NotPublished
from contracts.models.catalog import ModelInfo
from contracts.models.chat import ChatCompletion, ChatRequest
from contracts.models.tuning import Stage, TunedModel
from lab.tuning.gates.parity import MOST_TOKENS, Said
from lab.tuning.methods.lora import is_lora
from lab.tuning.wire import name_of
from servicekit.core.errors import PeerError
from servicekit.peers.client import Peer

SECONDS = 90.0
"""Longer than inference waits for a model to be loaded and asked."""
MOST_WORDS = 500
CANDIDATE = "try"
"""Begins the suffix of a model that nobody sees: with the claim's number, so that no worker that was taken for dead
removes another's."""
GREEDY = {"temperature": 0, "repetition_penalty": 1.0}
LATER = frozenset((401, 408, 429))
"""Statuses below 500 that say nothing against what was learnt."""
_INSIDE = {"classification": "head", "embedding": "projection", "reading": "correction", "rerank": "correction"}
"""By kind, what stands in the declaration itself."""


def inside_of(row: Mapping[str, Any]) -> str | None:
    """The part of the declaration that has all that a job learnt; none of what comes in pieces."""
    kind = row["result"].get("kind")
    return "lora" if kind == "embedding" and is_lora(row["settings"]) else _INSIDE.get(kind)


Token = Callable[[], Awaitable[str]]
"""A token for inference, with the right of the job's key."""


@dataclass(frozen=True, slots=True)
class Learnt:
    """What a job has learnt, as far as inference must know."""

    row: Mapping[str, Any]
    """The job's."""
    pieces: Callable[[], AsyncIterator[bytes]]
    """The artifact, a megabyte at a time."""

    @property
    def suffix(self) -> str:
        """What it is called beside its model."""
        return str(self.row["suffix"] or self.row["id"])

    def declaration(self) -> TunedModel:
        """All but what was learnt."""
        row, result = self.row, self.row["result"]
        return TunedModel(
            parent=row["model"],
            parent_digest=result.get("base"),
            job=row["id"],
            digest=result["artifact"],
            method=row["method"],
            training_set=name_of(row["training_set"], row["training_version"]) or "",
            verdict=None if result.get("words") is None else result["words"][:MOST_WORDS],
            figures=result["figures"],
        )


class Publisher(Protocol):
    """Has models served."""

    async def publish(self, learnt: Learnt, token: Token, stage: Stage = "published") -> str:
        """Its name, once it is declared; a candidate's, which nobody sees, is another one. Raises `Refused` where it
        can't be, else what is in the way now."""

    async def ask(self, token: Token, model: str, question: QuestionRecord) -> Said:
        """A served model's greedy answer, or its beginning."""

    async def discard(self, name: str, token: Token) -> None:
        """Serve a candidate no more."""

    async def unpublish(self, job_id: str, token: Token) -> None:
        """Serve what a job has learnt no more."""


class Refused(Exception):
    """What was learnt can't be served."""

    def __init__(self, why: NotPublished) -> None:
        super().__init__(why.message)
        self.why = why


@dataclass(frozen=True, slots=True)
class InferencePublisher:
    """By inference, which keeps what was learnt beside its declarations: each of its replicas has it from there."""

    inference: Peer

    async def publish(self, learnt: Learnt, token: Token, stage: Stage = "published") -> str:
        """As `Publisher` says."""
        try:
            put = await self._put(learnt, token, stage)
        except PeerError as error:
            if error.http_status >= 500 or error.http_status in LATER:
                raise
            raise Refused(NotPublished(code=error.code, message=error.message)) from None
        if put.state in ("failed", "not_answering"):  # inference has taken it away again, if it was new
            raise Refused(NotPublished(code="model_not_loaded", message=f"It can't be served: {put.reason}."))
        return put.id

    async def ask(self, token: Token, model: str, question: QuestionRecord) -> Said:
        """As `Publisher` says; an answer is the model's own, without what a declaration adds to make it prettier."""
        turns = [{"role": turn.role, "content": turn.content} for turn in question.turns or ()]
        messages = turns or [{"role": "user", "content": question.question or ""}]
        asked = {"model": model, "messages": messages, "max_tokens": MOST_TOKENS, **GREEDY}
        reply = await self.inference.call(
            "POST",
            "/v1/chat/completions",
            ChatCompletion,
            token=await token(),
            body=ChatRequest.model_validate(asked),
            timeout_seconds=SECONDS,
        )
        choice = reply.choices[0]
        tokens = 0 if reply.usage is None else reply.usage.total_tokens
        return Said(question, choice.message.content or "", choice.finish_reason == "stop", tokens)

    async def discard(self, name: str, token: Token) -> None:
        """As `Publisher` says."""
        await self.inference.send("DELETE", f"/v1/tuned-models/{quote(name, safe='')}", token=await token())

    async def _put(self, learnt: Learnt, token: Token, stage: Stage) -> ModelInfo:
        body, job = learnt.declaration().model_copy(update={"stage": stage}), learnt.row["id"]
        if (part := inside_of(learnt.row)) is not None:
            whole = json.loads(b"".join([piece async for piece in learnt.pieces()]))
            changes = {part: whole, **({"corrects": "rerank"} if learnt.row["result"]["kind"] == "rerank" else {})}
            body = body.model_copy(update=changes)
        else:
            number = 0
            async for piece in learnt.pieces():
                path = f"/v1/tuning-jobs/{quote(job, safe='')}/adapter/{number}"
                await self.inference.send("PUT", path, token=await token(), body=piece)
                number += 1
        suffix = learnt.suffix if stage == "published" else f"{CANDIDATE}{learnt.row['fence']}-{job}"
        return await self.inference.call(
            "PUT",
            f"/v1/tuned-models/{suffix}",
            ModelInfo,
            token=await token(),
            body=body,
            timeout_seconds=SECONDS,
        )

    async def unpublish(self, job_id: str, token: Token) -> None:
        """As `Publisher` says."""
        path = f"/v1/tuning-jobs/{quote(job_id, safe='')}"
        await self.inference.send("DELETE", path, token=await token())
