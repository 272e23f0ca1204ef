"""Completions of raw texts by an engine that knows single ones: one text after another, each answer after its own."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Any

from contracts.models.chat import ChatRequest
from inference.engines.wrappers.base import EngineWrapper
from inference.errors import Unsupported
from inference.protocol.engines import Completion, Piece
from inference.protocol.pieces import usage_of, usage_piece
from servicekit.core.errors import InvalidRequest

NO_PROBABILITIES_OF_PROMPTS = (
    "This model does not keep the probabilities of a prompt's own tokens, so that 'echo' and 'logprobs' don't go "
    "together. Leave one out, or choose a model behind an OpenAI-compatible server that has them, as vLLM does"
)


class RawPrompts(EngineWrapper):
    """A `ChatEngine` before one that knows chats and single raw prompts. Chats pass as they are."""

    async def complete(self, request: ChatRequest) -> Completion:
        """The whole answers."""
        if not request.raw_prompts:
            return await self._inner.complete(request)
        choices: list[dict[str, Any]] = []
        sums = _Sums()
        for asked, answers in _each(request):
            completion = await self._inner.complete(asked)
            sums.add(completion.usage)
            choices += [answers.whole(choice) for choice in completion.choices]
        return Completion(tuple(choices), sums.usage)

    def stream(self, request: ChatRequest) -> AsyncGenerator[Piece, None]:
        """The answers as they are made."""
        return self._stream(request) if request.raw_prompts else self._inner.stream(request)

    async def _stream(self, request: ChatRequest) -> AsyncGenerator[Piece, None]:
        sums = _Sums()
        for asked, answers in _each(request):
            async with aclosing(self._inner.stream(asked)) as pieces:
                async for piece in pieces:
                    sums.add(piece.usage)
                    if piece.choices:
                        yield Piece(tuple(answers.piece(choice) for choice in piece.choices))
        yield usage_piece(sums.usage)


class _Sums:
    """Tokens of all answers."""

    def __init__(self) -> None:
        self._prompt = self._completion = 0

    def add(self, usage: dict[str, Any] | None) -> None:
        self._prompt += (usage or {}).get("prompt_tokens", 0)
        self._completion += (usage or {}).get("completion_tokens", 0)

    @property
    def usage(self) -> dict[str, Any]:
        return usage_of(self._prompt, self._completion)


class _Answers:
    """The answers to one prompt: their indices, what goes before them, and how far each is."""

    def __init__(self, first: int, echoed: str) -> None:
        self._first = first
        self._echoed = echoed
        self._offsets: dict[int, int] = {}

    def whole(self, choice: dict[str, Any]) -> dict[str, Any]:
        """A choice of a whole answer."""
        message = choice["message"]
        answer = {**message, "content": self._echoed + (message.get("content") or "")}
        return {**self._placed(choice), "message": answer}

    def piece(self, choice: dict[str, Any]) -> dict[str, Any]:
        """A choice of a stream's piece."""
        delta = choice["delta"]
        if self._echoed and choice["index"] not in self._offsets:
            delta = {**delta, "content": self._echoed + (delta.get("content") or "")}
        return {**self._placed(choice), "delta": delta}

    def _placed(self, choice: dict[str, Any]) -> dict[str, Any]:
        index = choice["index"]
        offset = self._offsets.setdefault(index, 0)
        described = (choice.get("logprobs") or {}).get("content")
        logprobs = None if described is None else _completion_logprobs(described, offset)
        self._offsets[index] += sum(len(token["token"]) for token in described or ())
        return {**choice, "index": self._first + index, "logprobs": logprobs}


def _each(request: ChatRequest) -> Iterator[tuple[ChatRequest, _Answers]]:
    """A request for each prompt, in turn; raises 400 for what can't be done."""
    extra = dict(request.model_extra or {})
    echo, likely, best_of = extra.pop("echo", None), extra.pop("logprobs", None), extra.pop("best_of", None)
    count = request.n or 1
    if best_of is not None and best_of != count:
        raise Unsupported("best_of", "Ask for `n` answers and choose among them")
    if likely is not None:
        if isinstance(likely, bool) or not isinstance(likely, int):
            raise InvalidRequest("`logprobs` of a completion is a number of tokens.", param="logprobs")
        if echo:
            raise InvalidRequest(f"{NO_PROBABILITIES_OF_PROMPTS}.", param="echo")
        extra |= {"logprobs": True, "top_logprobs": likely}
    fields = request.model_dump(mode="json", exclude_unset=True, include=ChatRequest.model_fields.keys() - {"messages"})
    for number, message in enumerate(request.messages):
        asked = ChatRequest.model_validate({**fields, **extra, "messages": [message.model_dump()]})
        yield asked, _Answers(number * count, message.plain_text() if echo else "")


def _completion_logprobs(tokens: list[dict[str, Any]], offset: int) -> dict[str, Any]:
    """Log probabilities as completions have them."""
    offsets = []
    for token in tokens:
        offsets.append(offset)
        offset += len(token["token"])
    return {
        "tokens": [token["token"] for token in tokens],
        "token_logprobs": [token["logprob"] for token in tokens],
        "top_logprobs": [{top["token"]: top["logprob"] for top in token["top_logprobs"]} for token in tokens],
        "text_offset": offsets,
    }
