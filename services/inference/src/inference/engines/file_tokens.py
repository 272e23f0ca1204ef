"""The tokens of a model whose `tokenizer.json` is at hand."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from contracts.models.chat import ChatRequest
from inference.errors import TokenUnknown, Unsupported
from inference.protocol.tokens import Encoded

if TYPE_CHECKING:
    from tokenizers import Tokenizer


AT_ONCE = 2
"""Texts that are cut at once, by all calls of a model: each takes a thread and memory."""


class FileTokens:
    """A `TokenCodec`. `read` gives the tokenizer's file, which is read when it is first asked; off the event loop."""

    def __init__(self, read: Callable[[], bytes]) -> None:
        self._read = read
        self._tokenizer: Tokenizer | None = None
        self._reading = threading.Lock()
        self._places = asyncio.Semaphore(AT_ONCE)

    async def encode(self, text: str, *, special: bool, named: bool = False) -> Encoded:
        """As the file says."""
        async with self._places:
            return await asyncio.to_thread(self._encode, text, special, named)

    async def decode(self, ids: Sequence[int]) -> str:
        """As the file says."""
        async with self._places:
            return await asyncio.to_thread(self._decode, ids)

    async def encode_chat(
        self, request: ChatRequest, *, special: bool | None, answer_follows: bool, named: bool = False
    ) -> Encoded:
        """Refused: the file has no chat template."""
        raise Unsupported("messages", "Its tokenizer.json has no chat template; send the text as `prompt`")

    def _encode(self, text: str, special: bool, named: bool) -> Encoded:
        encoding = self._opened().encode(text, add_special_tokens=special)
        return Encoded(encoding.ids, encoding.tokens if named else None)

    def _decode(self, ids: Sequence[int]) -> str:
        tokenizer = self._opened()
        for number in ids:
            if tokenizer.id_to_token(number) is None:
                raise TokenUnknown(number, tokenizer.get_vocab_size())
        return tokenizer.decode(list(ids), skip_special_tokens=False)

    def _opened(self) -> Tokenizer:
        from tokenizers import Tokenizer  # imported in its thread

        with self._reading:
            if self._tokenizer is None:
                tokenizer = Tokenizer.from_str(self._read().decode())
                tokenizer.no_truncation()
                tokenizer.no_padding()
                self._tokenizer = tokenizer
            return self._tokenizer
