"""The tokens of a model that llama.cpp runs, by its server's own calls."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from contracts.models.chat import ChatRequest
from inference.catalog.gguf_header import read_header
from inference.errors import TokenUnknown, UpstreamBroke
from inference.protocol.tokens import Encoded

Ask = Callable[[str, Mapping[str, Any]], Awaitable[dict[str, Any] | None]]
TEMPLATE_FIELDS = ("messages", "tools", "chat_template_kwargs")
"""What of a chat llama.cpp's template reads."""


class LlamaTokens:
    """A `TokenCodec`. `ask` calls the server, `body_of` reads a chat as for an answer, `file` is the model's."""

    def __init__(
        self,
        name: str,
        ask: Ask,
        body_of: Callable[[ChatRequest], Mapping[str, Any]],
        file: Callable[[], Path],
    ) -> None:
        self._name = name
        self._ask = ask
        self._body_of = body_of
        self._file = file
        self._vocabulary: list[str] | None = None

    async def encode(self, text: str, *, special: bool, named: bool = False) -> Encoded:
        """As llama.cpp reads a prompt."""
        asked = {"content": text, "add_special": special, "parse_special": True}
        ids = (await self._answer("/tokenize", asked)).get("tokens")
        if not isinstance(ids, list):
            raise UpstreamBroke(self._name, "gave tokens that can't be read")
        if not named:
            return Encoded(ids)
        vocabulary = await self._names()
        return Encoded(ids, [vocabulary[number] for number in ids])

    async def decode(self, ids: Sequence[int]) -> str:
        """The text; the numbers are looked at first, since llama.cpp calls a wrong one its own failure."""
        size = len(await self._names())
        for number in ids:
            if number >= size:
                raise TokenUnknown(number, size)
        return str((await self._answer("/detokenize", {"tokens": list(ids)})).get("content", ""))

    async def encode_chat(
        self, request: ChatRequest, *, special: bool | None, answer_follows: bool, named: bool = False
    ) -> Encoded:
        """As for an answer: what begins any text is added, unless the caller says otherwise."""
        body = self._body_of(request)
        asked = {name: body[name] for name in TEMPLATE_FIELDS if name in body}
        answer = await self._answer("/apply-template", {**asked, "add_generation_prompt": answer_follows})
        return await self.encode(str(answer.get("prompt", "")), special=special is not False, named=named)

    async def _answer(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        answer = await self._ask(path, body)
        if answer is None:
            raise UpstreamBroke(self._name, f"has no {path}")
        return answer

    async def _names(self) -> list[str]:
        """The vocabulary, read when it is first wanted: some megabytes that most never need."""
        if self._vocabulary is None:
            header = await asyncio.to_thread(read_header, self._file())
            self._vocabulary = list(header.fields.get("tokenizer.ggml.tokens") or ())
        return self._vocabulary
