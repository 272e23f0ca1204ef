"""Answers that were held to a JSON schema by a grammar: what a grammar can't hold is checked when they are whole."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from contracts.models.chat import ChatRequest
from inference.engines.wrappers.base import EngineWrapper
from inference.errors import AnswerUnfit
from inference.protocol.engines import Completion, Piece
from inference.requests.generation_request import ANY_OBJECT, read_schema
from inference.schemas.validation import check_answer


class CheckedSchema(EngineWrapper):
    """A `ChatEngine` before another. Only what has a schema, no tools and no stop strings is looked at: calls are
    checked by who reads them, and a text that was stopped is not whole."""

    async def complete(self, request: ChatRequest) -> Completion:
        """The whole answer; raises `AnswerUnfit`."""
        completion = await self._inner.complete(request)
        if (schema := _schema(request)) is not None:
            for choice in completion.choices:
                if choice.get("finish_reason") == "stop":
                    try:
                        check_answer(schema, (choice.get("message") or {}).get("content") or "")
                    except AnswerUnfit as unfit:
                        unfit.usage = completion.usage
                        raise
        return completion

    def stream(self, request: ChatRequest) -> AsyncGenerator[Piece, None]:
        """The answer as it is made; raises `AnswerUnfit` at its end."""
        schema = _schema(request)
        return self._inner.stream(request) if schema is None else self._checked(request, schema)

    async def _checked(self, request: ChatRequest, schema: dict[str, Any]) -> AsyncGenerator[Piece, None]:
        said: defaultdict[int, str] = defaultdict(str)
        unfit: AnswerUnfit | None = None
        async with aclosing(self._inner.stream(request)) as pieces:
            async for piece in pieces:
                for choice in piece.choices:
                    index = choice.get("index", 0)
                    said[index] += (choice.get("delta") or {}).get("content") or ""
                    if choice.get("finish_reason") == "stop":
                        try:
                            check_answer(schema, said[index])
                        except AnswerUnfit as error:
                            unfit = unfit or error
                if unfit is None:
                    yield piece
                else:  # what it cost comes last
                    unfit.usage = piece.usage or unfit.usage
        if unfit is not None:
            raise unfit


def _schema(request: ChatRequest) -> dict[str, Any] | None:
    extra = request.model_extra or {}
    schema = None if extra.get("tools") or request.stop or request.raw_prompts else read_schema(extra)
    return None if schema == ANY_OBJECT else schema
