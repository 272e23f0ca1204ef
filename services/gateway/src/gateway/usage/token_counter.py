"""Tokens where an upstream reported none: counted with the model's own tokenizer, or by rule of thumb without one."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import structlog

from contracts.models.catalog import ModelInfo
from contracts.models.chat import ChatRequest
from gateway.auth.tokens import MODELS, TokenIssuer
from gateway.limits.max_usage import prompt_bytes
from servicekit.core.errors import ServiceError
from servicekit.peers.client import Peer
from servicekit.streams.sse import data_of
from servicekit.telemetry.trace_context import stop_recording

if TYPE_CHECKING:
    from tokenizers import Tokenizer

log = structlog.get_logger(__name__)
BYTES_A_TOKEN = 4
"""Rough length of a token in English."""
COUNTED_BYTES = 256 * 1024
"""Longer texts are counted by their beginning, in proportion: counting 1 MiB takes a second."""
KEPT_BYTES = 2 * 1024 * 1024
"""Of a stream, for counting; what comes after is counted by its frames."""


class TokenCounter:
    """Counts with tokenizers that inference has, each read once, when it is first wanted."""

    def __init__(self, inference: Peer, issuer: TokenIssuer) -> None:
        self._inference = inference
        self._issuer = issuer
        self._tokenizers: dict[str, Tokenizer | None] = {}
        self._reading: set[asyncio.Task[None]] = set()

    def prepare(self, model: str) -> None:
        """Have the model's tokenizer read, in the background, unless it is known or can't be had."""
        if model not in self._tokenizers:
            self._tokenizers[model] = None
            task = asyncio.create_task(self._read(model))
            self._reading.add(task)
            task.add_done_callback(self._reading.discard)

    def count(self, model: str, text: str) -> int | None:
        """The text's tokens; None without the model's tokenizer, which is then prepared for the next time."""
        tokenizer = self._tokenizers.get(model)
        if tokenizer is None:
            self.prepare(model)
            return None
        beginning = text[:COUNTED_BYTES]
        counted = len(tokenizer.encode(beginning, add_special_tokens=False).ids)
        return math.ceil(counted * len(text) / len(beginning)) if len(text) > len(beginning) else counted

    def discard(self, model: str) -> None:
        """The name stands for another model now."""
        self._tokenizers.pop(model, None)

    async def ready(self) -> None:
        """Wait for what is being read."""
        await asyncio.gather(*self._reading)

    async def close(self) -> None:
        """Stop reading."""
        for task in self._reading:
            task.cancel()
        await asyncio.gather(*self._reading, return_exceptions=True)

    async def _read(self, model: str) -> None:
        stop_recording()
        token = self._issuer.own_token(MODELS, ("chat",))
        try:
            answer = await self._inference.send("GET", f"/v1/models/{quote(model, safe='')}/tokenizer", token=token)
            self._tokenizers[model] = await asyncio.to_thread(_tokenizer_of, answer.body)
        except ServiceError as error:
            if error.http_status != 404:  # inference is away, perhaps: try again when it is next wanted
                del self._tokenizers[model]
            log.info("tokens of this model are estimated by length", model=model, reason=error.code)
        except ValueError as error:
            log.warning("this tokenizer can't be used", model=model, reason=str(error)[:200])


class ChatCount:
    """What one chat call read and wrote, counted from its texts; keeps them only until somebody knows better."""

    def __init__(
        self, counter: TokenCounter, model: ModelInfo, request: ChatRequest, request_bytes: int, picture: int = 0
    ) -> None:
        """`picture`: tokens that stand for each picture."""
        self._counter = counter
        self._model = model.id
        self._request = request
        words, pictures = prompt_bytes(request, request_bytes)
        self._words, self._pictures = words, pictures * picture
        self._frames: list[bytes] = []
        self._kept = 0
        self._more = 0
        if model.price is None or model.price.prompt_usd_per_million or model.price.completion_usd_per_million:
            counter.prepare(model.id)

    def note(self, frame: bytes) -> None:
        """A frame of the answer went by."""
        if self._kept < KEPT_BYTES:
            self._frames.append(frame)
            self._kept += len(frame)
        else:
            self._more += 1

    def clear(self) -> None:
        """The upstream has told."""
        self._frames = []

    def prompt(self) -> int:
        """Tokens of the messages, with their pictures."""
        text = "\n".join(message.plain_text() for message in self._request.messages)
        counted = self._counter.count(self._model, text)
        return self._pictures + (math.ceil(self._words / BYTES_A_TOKEN) if counted is None else counted)

    def completion(self) -> int:
        """Tokens of what went by; without a tokenizer, a token a frame."""
        texts = [text for frame in self._frames for text in _texts_of(frame)]
        counted = self._counter.count(self._model, "".join(texts))
        return self._more + (len(texts) if counted is None else counted)


def _tokenizer_of(content: bytes) -> Tokenizer:
    from tokenizers import Tokenizer  # 10 MB that a gateway without such upstreams does not need

    try:
        return Tokenizer.from_buffer(content)
    except Exception as error:  # noqa: BLE001  # tokenizers raises bare Exception
        raise ValueError(str(error)) from None


def _texts_of(frame: bytes) -> Iterator[str]:
    """What the model wrote in a frame: content, reasoning and arguments of tools, of every choice."""
    try:
        chunk = json.loads(data_of(frame))
        choices = chunk.get("choices") or []
        deltas = [choice.get("delta") or choice.get("message") or {} for choice in choices]
    except (ValueError, AttributeError):
        return
    for delta in deltas:
        calls = [call.get("function") or {} for call in delta.get("tool_calls") or [] if isinstance(call, Mapping)]
        parts: list[Any] = [delta.get(name) for name in ("content", "reasoning_content", "reasoning", "refusal")]
        parts += [call.get(name) for call in calls for name in ("name", "arguments")]
        written = "".join(part for part in parts if isinstance(part, str))
        if written:
            yield written
