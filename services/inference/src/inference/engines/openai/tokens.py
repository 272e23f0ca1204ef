"""The tokens of a model behind a server that has `/tokenize` and `/detokenize` beside `/v1`, as vLLM has."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from contracts.models.chat import ChatRequest
from inference.engines.file_tokens import FileTokens
from inference.errors import NoTokenizerHere
from inference.protocol.tokens import Encoded

Ask = Callable[[str, Mapping[str, Any]], Awaitable[dict[str, Any] | None]]
"""A call of the server, below its root: its answer, or None if it has no such call."""


class ServerTokens:
    """A `TokenCodec`."""

    def __init__(self, name: str, upstream_model: str, ask: Ask) -> None:
        self._name = name
        self._model = upstream_model
        self._ask = ask

    async def encode(self, text: str, *, special: bool, named: bool = False) -> Encoded:
        """As the server says."""
        return await self._tokenized({"prompt": text, "add_special_tokens": special, "return_token_strs": named})

    async def decode(self, ids: Sequence[int]) -> str:
        """As the server says, which knows its vocabulary."""
        answer = await self._ask("/detokenize", {"model": self._model, "tokens": list(ids)})
        text = (answer or {}).get("prompt")
        if not isinstance(text, str):
            raise NoTokenizerHere(self._name)
        return text

    async def encode_chat(
        self, request: ChatRequest, *, special: bool | None, answer_follows: bool, named: bool = False
    ) -> Encoded:
        """As the server says."""
        asked = request.model_dump(mode="json", exclude_unset=True, include={"messages"}) | (request.model_extra or {})
        asked |= {"add_generation_prompt": answer_follows, "return_token_strs": named}
        if special is not None:
            asked["add_special_tokens"] = special
        return await self._tokenized(asked)

    async def _tokenized(self, asked: Mapping[str, Any]) -> Encoded:
        answer = await self._ask("/tokenize", {"model": self._model, **asked}) or {}
        ids, names = answer.get("tokens"), answer.get("token_strs")
        # llama.cpp's own has another form, and answers this one with the tokens of nothing: it gives no count
        if not isinstance(ids, list) or answer.get("count") != len(ids):
            raise NoTokenizerHere(self._name)
        if asked["return_token_strs"] and not isinstance(names, list):
            raise NoTokenizerHere(self._name)
        return Encoded(ids, names if asked["return_token_strs"] else None)


class DeclaredTokens(FileTokens):
    """A `TokenCodec` by a declared file, which is nearer than the server; only the chat template is the server's."""

    def __init__(self, read: Callable[[], bytes], server: ServerTokens) -> None:
        super().__init__(read)
        self._server = server

    async def encode_chat(
        self, request: ChatRequest, *, special: bool | None, answer_follows: bool, named: bool = False
    ) -> Encoded:
        """As the server says, if it has such a call."""
        options: dict[str, Any] = {"special": special, "answer_follows": answer_follows, "named": named}
        try:
            return await self._server.encode_chat(request, **options)
        except NoTokenizerHere:
            return await super().encode_chat(request, **options)
