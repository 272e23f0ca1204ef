"""What one answer did: stages and their times, tokens, attempts, and what was done without."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field

from agent.metrics import DEGRADATIONS, DEGRADED, STAGE_SECONDS
from contracts.access.guardrails import GuardDecision
from contracts.models.chat import ChatUsage
from contracts.models.receipts import Attempt, Receipt, StageTime, TokenCounts
from contracts.models.versions import ModelVersion
from contracts.retrieval.search import SearchReply
from servicekit.telemetry.spans import CHAIN, span
from servicekit.telemetry.trace_context import trace_id, unrecorded

CALL_SPANS = 3
"""Calls of embedding and reading models that are spans of their own in a stage: as many as judging passages takes.
Checking an answer takes two for each of its sentences, and a trace of 140 spans shows nobody what happened."""


@dataclass(slots=True)
class StageTimer:
    """One time through a stage."""

    counts: bool = True
    """False where there was nothing to do after all: its time is the outer stage's then."""


@dataclass(slots=True)
class ReceiptBuilder:
    """Collects while the graph runs. Money is the gateway's: it knows the prices and completes the receipt."""

    request_id: str
    tokens: TokenCounts = field(default_factory=TokenCounts)
    model: str | None = None
    model_digest: str | None = None
    adapter: str | None = None
    prompt: str | None = None
    prompt_file: str | None = None
    """The file that the prompt is, or stands in place of."""
    instructions: str | None = None
    fingerprints: dict[str, str] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)
    degraded: list[str] = field(default_factory=list)
    guardrails: list[GuardDecision] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)
    revisions: dict[str, int] = field(default_factory=dict)
    _seconds: dict[str, float] = field(default_factory=dict)
    _nested: list[float] = field(default_factory=lambda: [0.0])
    _model_calls: int = 0
    """Within the present stage that is a span."""

    @contextmanager
    def stage(self, name: str, *, traced: bool = True) -> Iterator[StageTimer]:
        """Times one stage. A stage inside another one is taken off the outer; a repeated one adds up.

        `traced`: whether it is a span, too; not where the stage goes on by small steps.
        """
        started, timer = time.perf_counter(), StageTimer()
        self._nested.append(0.0)
        try:
            with self._span(name) if traced else nullcontext():
                yield timer
        finally:
            elapsed = time.perf_counter() - started
            own = elapsed - self._nested.pop()
            if timer.counts:
                self._nested[-1] += elapsed
                self._seconds[name] = self.seconds(name) + own

    @contextmanager
    def _span(self, stage: str) -> Iterator[None]:
        """A stage's span, and on it the calls of embedding and reading models within, which are not all spans."""
        outer, self._model_calls = self._model_calls, 0
        embedded, read = self.tokens.embedding, self.tokens.reading
        with span(stage, attributes=CHAIN) as shown:
            try:
                yield
            finally:
                calls, self._model_calls = self._model_calls, outer
                if calls:
                    counted = {"embedding": self.tokens.embedding - embedded, "reading": self.tokens.reading - read}
                    shown.set({f"groundwork.{kind}_tokens": tokens for kind, tokens in counted.items()})
                    shown.set({"groundwork.model_calls": calls})

    @contextmanager
    def model_call(self) -> Iterator[None]:
        """A call of an embedding or reading model; one of the first `CALL_SPANS` in its stage is a span, too."""
        self._model_calls += 1
        with nullcontext() if self._model_calls <= CALL_SPANS else unrecorded():
            yield

    def seconds(self, stage: str) -> float:
        """What a stage has taken so far, without those inside it."""
        return self._seconds.get(stage, 0.0)

    def degrade(self, *reasons: str) -> None:
        """Note what the answer had to do without, each once."""
        for reason in dict.fromkeys(reasons):
            if reason not in self.degraded:
                self.degraded.append(reason)
                DEGRADED.labels(reason if reason in DEGRADATIONS else "other").inc()

    def add_search(self, reply: SearchReply, collections: Sequence[str]) -> None:
        """Note the revisions that a search reported; of two searches the older counts: the answer has that, too."""
        alone = {collections[0]: reply.collection_revision} if len(collections) == 1 else {}
        for name, revision in (reply.collection_revisions or alone).items():
            self.revisions[name] = min(revision, self.revisions.get(name, revision))

    def add_version(self, version: ModelVersion) -> None:
        """Note which model began to answer."""
        self.model_digest, self.adapter = version.digest, version.adapter
        if version.model is not None and version.fingerprint is not None:
            self.fingerprints[version.model] = version.fingerprint

    def add_usage(self, usage: ChatUsage | None) -> None:
        """Add what a model call read and wrote."""
        if usage is not None:
            self.tokens.prompt += usage.prompt_tokens
            self.tokens.completion += usage.completion_tokens

    def usage(self) -> ChatUsage:
        """The sum over the model calls, in OpenAI's shape."""
        prompt, completion = self.tokens.prompt, self.tokens.completion
        return ChatUsage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion)

    def build(self) -> Receipt:
        """The receipt as far as this service knows it."""
        for name, seconds in self._seconds.items():
            STAGE_SECONDS.labels(name).observe(seconds)
        return Receipt(
            request_id=self.request_id,
            trace_id=trace_id(),
            stages=[StageTime(name=name, ms=round(spent * 1000, 2)) for name, spent in self._seconds.items()],
            tokens=self.tokens,
            model=self.model,
            model_digest=self.model_digest,
            adapter=self.adapter,
            prompt=self.prompt,
            instructions=self.instructions,
            fingerprints=dict(self.fingerprints),
            attempts=list(self.attempts),
            queries=list(self.queries),
            degraded=list(self.degraded),
            guardrails=list(self.guardrails),
            collection_revisions=dict(self.revisions),
        )
