"""A model that follows a script of turns, with tool calls: for tests, chaos and load runs without a model.

What it says depends on the request alone, so that a run that is taken up again hears the same words.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from agent.ports import Embedded, ModelAnswer
from agent.testing.scripted_answers import CAPABLE, bag_of_stems
from contracts.models.catalog import InputType, ModelInfo
from contracts.models.chat import AssistantMessage, ChatCompletionChunk, ChatRequest, ChatUsage, ChunkChoice
from contracts.models.versions import ModelVersion
from servicekit.core.errors import ServiceError


@dataclass(frozen=True, slots=True)
class Turn:
    """What the model says once: text, and calls by name and arguments (a text is sent as it is)."""

    text: str = ""
    calls: Sequence[tuple[str, dict[str, Any] | str]] = ()
    hangs: bool = False
    """Whether it says its words and then nothing more, until somebody ends it."""


Script = Callable[[ChatRequest], Turn]


def in_turn(*turns: Turn | str) -> Script:
    """One turn after another, by the answers that the request already has; the last one again and again."""

    def script(request: ChatRequest) -> Turn:
        said = sum(message.role == "assistant" for message in request.messages)
        turn = turns[min(said, len(turns) - 1)]
        return Turn(turn) if isinstance(turn, str) else turn

    return script


@dataclass
class ScriptedAgent:
    """`Models` that follow a script. `before` is awaited before each answer, `failures` are raised first, in order."""

    script: Script
    info: ModelInfo = field(default_factory=lambda: CAPABLE)
    before: Callable[[ChatRequest], Any] | None = None
    failures: list[ServiceError] = field(default_factory=list)
    requests: list[ChatRequest] = field(default_factory=list)
    tokens_read: int = 20
    version: ModelVersion = field(default_factory=ModelVersion)

    async def model(self, name: str | None, token: str) -> ModelInfo | None:
        """The scripted model, under its own name and as the default."""
        return self.info if name in (None, "default", self.info.id) else None

    async def embed(
        self, texts: Sequence[str], token: str, model: str | None = None, kind: InputType | None = None
    ) -> Embedded:
        """Hashed bags of word stems, of unit length."""
        return Embedded([bag_of_stems(text) for text in texts], sum(len(text.split()) for text in texts))

    @asynccontextmanager
    async def chat(self, request: ChatRequest, token: str) -> AsyncIterator[ModelAnswer]:
        """The turn's words and calls, then usage."""
        self.requests.append(request)
        if self.before is not None:
            await self.before(request)
        if self.failures:
            raise self.failures.pop(0)
        yield ModelAnswer(self._chunks(request), self.version)

    async def probe(self) -> None:
        """Always there."""

    async def _chunks(self, request: ChatRequest) -> AsyncIterator[ChatCompletionChunk]:
        turn = self.script(request)
        for chunk in turn_chunks(turn, request.model, self.tokens_read):
            await asyncio.sleep(0)
            if turn.hangs and not (chunk.choices and chunk.choices[0].delta.content):
                await asyncio.Event().wait()
            yield chunk


def turn_chunks(turn: Turn, model: str, tokens_read: int = 20) -> list[ChatCompletionChunk]:
    """The chunks of a stream that says this turn; the arguments of a call come in two pieces."""
    words = turn.text.split(" ") if turn.text else []
    deltas = [AssistantMessage(content=word if at == 0 else f" {word}") for at, word in enumerate(words)]
    for at, (name, arguments) in enumerate(turn.calls):
        text = arguments if isinstance(arguments, str) else json.dumps(arguments)
        middle = len(text) // 2
        head = {"name": name, "arguments": text[:middle]}
        deltas.append(AssistantMessage(tool_calls=[{"index": at, "type": "function", "function": head}]))
        deltas.append(AssistantMessage(tool_calls=[{"index": at, "function": {"arguments": text[middle:]}}]))
    finish = "tool_calls" if turn.calls else "stop"
    choices = [ChunkChoice(delta=delta) for delta in deltas]
    choices.append(ChunkChoice(delta=AssistantMessage(), finish_reason=finish))
    said = len(deltas)
    usage = ChatUsage(prompt_tokens=tokens_read, completion_tokens=said, total_tokens=tokens_read + said)
    chunks = [ChatCompletionChunk(id="scripted", created=0, model=model, choices=[choice]) for choice in choices]
    return [*chunks, ChatCompletionChunk(id="scripted", created=0, model=model, choices=[], usage=usage)]
