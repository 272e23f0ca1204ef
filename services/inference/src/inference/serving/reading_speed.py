"""How fast a chat model reads prompts, by what its calls took: on a CPU that decides how much can be asked of it."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import aclosing
from typing import Any

import structlog

from contracts.models.chat import ChatRequest
from inference.protocol.engines import ChatEngine
from servicekit.core.errors import ServiceError

log = structlog.get_logger(__name__)
LEAST_TOKENS = 64
"""Shorter prompts say nothing: what they take is mostly not reading."""
LEAST_SECONDS = 1.0
"""Who left sooner did not leave because of the wait."""
LATEST = 8
SAMPLE = " ".join(f"Line {number} of a page that is read to see how long it takes." for number in range(1, 9))
"""Some 130 tokens."""
SAMPLE_TOKENS = 130
SAMPLE_SECONDS = 10.0


class ReadingSpeed:
    """Of the latest calls of one model. Waiting in its queue counts as reading: callers wait for both alike."""

    def __init__(self) -> None:
        self._rates: deque[float] = deque(maxlen=LATEST)

    @property
    def tokens_per_second(self) -> float | None:
        """The second slowest of the latest calls, so that neither one that had to wait long nor prompts that a server
        knew already decide; None before the first."""
        if not self._rates:
            return None
        return round(sorted(self._rates)[min(1, len(self._rates) - 1)], 1)

    def record(self, usage: dict[str, Any] | None, seconds: float) -> None:
        """A first piece came after so long; `usage` is the call's. Tokens that the server knew were not read."""
        prompt, cached = _count(usage, "prompt_tokens"), 0
        if usage is not None and isinstance(details := usage.get("prompt_tokens_details"), dict):
            cached = _count(details, "cached_tokens")
        if prompt - cached >= LEAST_TOKENS and seconds > 0:
            self._rates.append((prompt - cached) / seconds)

    def record_unfinished(self, tokens: int, seconds: float) -> None:
        """Nobody waited for the first piece: of some `tokens` not all were read in so long."""
        known = self.tokens_per_second
        if tokens >= LEAST_TOKENS and seconds >= LEAST_SECONDS and (known is None or tokens / seconds < known):
            self._rates.append(tokens / seconds)

    async def measure(self, engine: ChatEngine, model: str) -> None:
        """Have a model that was just loaded read a short page, so that its first caller does not wait for too much."""
        said = [{"role": "user", "content": SAMPLE}]
        request = ChatRequest.model_validate({"model": model, "messages": said, "max_tokens": 1, "stream": True})
        started = time.monotonic()
        usage: dict[str, Any] | None = None
        try:
            async with asyncio.timeout(SAMPLE_SECONDS), aclosing(engine.stream(request)) as pieces:
                async for piece in pieces:
                    usage = piece.usage or usage
        except TimeoutError:
            self.record_unfinished(SAMPLE_TOKENS, SAMPLE_SECONDS)
        except ServiceError as error:
            log.warning("a model's reading speed is not known", model=model, code=error.code)
        else:
            self.record(usage, time.monotonic() - started)


def _count(counts: dict[str, Any] | None, name: str) -> int:
    count = (counts or {}).get(name)
    return count if isinstance(count, int) else 0
