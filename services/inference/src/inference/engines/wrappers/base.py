"""A chat engine in front of another."""

from __future__ import annotations

from inference.protocol.engines import ChatEngine
from inference.protocol.tokens import TokenCodec


class EngineWrapper:
    """Hands on what all engines have in common; subclasses answer by `complete` and `stream`."""

    def __init__(self, inner: ChatEngine) -> None:
        self._inner = inner

    async def open(self) -> None:
        """As the inner engine."""
        await self._inner.open()

    async def close(self) -> None:
        """As the inner engine."""
        await self._inner.close()

    async def probe(self) -> None:
        """As the inner engine."""
        await self._inner.probe()

    def tokenizer(self) -> bytes | None:
        """The inner engine's."""
        return self._inner.tokenizer()

    def tokens(self) -> TokenCodec | None:
        """The inner engine's."""
        return self._inner.tokens()
