"""Chat answers on the wire: whole, or as a stream whose first piece is in hand before anything is sent."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from contracts.models.chat import ChatRequest
from contracts.models.versions import ModelVersion
from inference.metrics import ABANDONED, FIRST_TOKEN_SECONDS, GENERATION_SECONDS, TOKENS
from inference.protocol import codec
from inference.protocol.engines import ChatEngine, Completion, Piece
from inference.schemas.validation import check_request
from inference.serving.served_model import ServedModel
from servicekit.core.errors import ServiceError
from servicekit.core.identifiers import new_id
from servicekit.streams import sse


async def complete_answer(served: ServedModel[ChatEngine], request: ChatRequest) -> dict[str, Any]:
    """The `chat.completion` object."""
    engine = served.ready()
    check_request(request)
    started = time.monotonic()
    finished = False
    try:
        with served.track():
            completion = await engine.complete(request)
        served.progress()
        finished = True
    except ServiceError:
        finished = True
        raise
    finally:
        if not finished:
            ABANDONED.labels(served.name).inc()
    GENERATION_SECONDS.labels(served.name).observe(time.monotonic() - started)
    _count(served.name, completion.usage)
    return {**_head("chat.completion", served.name), **_completion_fields(completion)}


CHARACTERS_A_TOKEN = 4
"""Roughly, of prompts that nobody counted."""
MOST_SILENT = 16
"""Pieces without content that are waited through for the first with some."""


class ChatStream:
    """A streamed answer. `begin` first: what it raises can still be an ordinary error answer."""

    def __init__(self, served: ServedModel[ChatEngine], request: ChatRequest, request_id: str | None) -> None:
        self._name = served.name
        self._served = served
        self._request_id = request_id
        self._with_usage = bool(request.stream_options and request.stream_options.include_usage)
        self._head = _head("chat.completion.chunk", served.name)
        self._started = time.monotonic()
        self._pieces = served.ready().stream(request)
        self._request = request
        self._first: list[Piece] = []
        self._named_roles: set[int] = set()
        self._usage: dict[str, Any] | None = None
        self._ended = False
        self._first_after: float | None = None
        served.in_flight.begin()

    @property
    def version(self) -> ModelVersion:
        """Of the model that answers."""
        return self._served.version

    async def begin(self) -> None:
        """Wait for the first piece that says something: servers send a role before they know that they can answer."""
        try:
            check_request(self._request)
            while len(self._first) < MOST_SILENT and not any(piece.has_content for piece in self._first[-1:]):
                self._first.append(await anext(self._pieces))
        except StopAsyncIteration:
            pass
        except ServiceError as error:
            self._ended = True
            self._served.record_failure(error)
            raise
        seconds = self._first_after = time.monotonic() - self._started
        FIRST_TOKEN_SECONDS.labels(self._name).observe(seconds)

    async def frames(self) -> AsyncGenerator[bytes, None]:
        """Server-sent events to `[DONE]`, or to one `event: error`."""
        reported: dict[str, Any] | None = None
        try:
            async with aclosing(self._all()) as pieces:
                async for piece in pieces:
                    self._served.progress()
                    self._usage = piece.usage or self._usage
                    if piece.choices:
                        yield self._frame({"choices": self._with_role(piece.choices), **piece.extra})
                    elif self._with_usage and piece.usage is not None:  # at once: the caller may leave before the end
                        reported = piece.usage
                        yield self._frame({"choices": [], "usage": reported})
            if self._with_usage and self._usage not in (None, reported):
                yield self._frame({"choices": [], "usage": self._usage})
            self._ended = True
            yield sse.DONE
        except ServiceError as error:
            self._ended = True
            self._served.record_failure(error)
            self._usage = error.usage = error.usage or self._usage
            yield sse.encode_error(error, self._request_id)

    async def close(self) -> None:
        """Stop the model's work, if it is not done, and account for what was done."""
        await self._pieces.aclose()
        self._served.in_flight.end()
        if self._first_after is not None:
            self._served.reading_speed.record(self._usage, self._first_after)
        elif not self._ended:
            length = sum(len(message.plain_text()) for message in self._request.messages)
            self._served.reading_speed.record_unfinished(length // CHARACTERS_A_TOKEN, time.monotonic() - self._started)
        if not self._ended:
            ABANDONED.labels(self._name).inc()
        GENERATION_SECONDS.labels(self._name).observe(time.monotonic() - self._started)
        _count(self._name, self._usage)

    async def _all(self) -> AsyncGenerator[Piece, None]:
        for piece in self._first:
            yield piece
        async for piece in self._pieces:
            yield piece

    def _with_role(self, choices: tuple[dict[str, Any], ...]) -> list[dict[str, Any]]:
        """The choices, the first of each index with the role, which every client may expect there."""
        for choice in choices:
            index = choice.get("index", 0)
            if index not in self._named_roles and isinstance(choice.get("delta"), dict):
                self._named_roles.add(index)
                choice["delta"] = {"role": "assistant", **choice["delta"]}
        return list(choices)

    def _frame(self, content: dict[str, Any]) -> bytes:
        return b"data: %b\n\n" % codec.write({**self._head, **content})


def _head(kind: str, model: str) -> dict[str, Any]:
    return {"id": new_id("chatcmpl"), "object": kind, "created": int(time.time()), "model": model}


def _completion_fields(completion: Completion) -> dict[str, Any]:
    return {"choices": list(completion.choices), "usage": completion.usage, **completion.extra}


def _count(model: str, usage: dict[str, Any] | None) -> None:
    for kind in ("prompt", "completion"):
        count = (usage or {}).get(f"{kind}_tokens")
        if isinstance(count, int) and count > 0:
            TOKENS.labels(model, kind).inc(count)
