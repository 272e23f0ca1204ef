"""A chat model without weights: deterministic and instant. For tests, and for trying the API."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from functools import cache
from typing import Any

import numpy as np

from contracts.models.chat import ChatRequest
from inference.catalog.sources import ScriptSource
from inference.engines.file_tokens import FileTokens
from inference.engines.logits_processors import LogitsProcessor, LogitsProcessors
from inference.engines.scripted.vectors import TOKENIZER, count_words
from inference.engines.stop_scanner import StopScanner
from inference.protocol.engines import Completion, Piece
from inference.protocol.pieces import calls_piece, collect, end_piece, text_piece, usage_of, usage_piece
from inference.protocol.tokens import TokenCodec
from inference.queueing.admission import Admission
from inference.requests.generation_request import GenerationRequest, read_generation_request, room_for_answer
from inference.schemas.validation import check_answer
from inference.tool_calls.calls import CallReader

TOKEN = re.compile(r"\s*(?:\w+|[^\w\s]+)|\s+$")
USUAL_TOKENS = 512
LONGEST_CONSTRAINED = 4096
"""Bytes of an answer that is made up to fit a schema."""
SHORTEST_FIRST = [ord(character) for character in '"}],:0']
"""What ends strings, objects, lists and numbers; then the shortest number."""


class ScriptedChat:
    """A `ChatEngine`: the reply of the first rule that matches the conversation, else an echo.

    Takes what `read_generation_request` does, one piece a token, `pace_seconds` apart. Where the reply has not
    the form that was asked for, it says the shortest thing that has. It is sure of each token: its probability is 1.
    """

    def __init__(self, model: str, script: ScriptSource, admission: Admission, context_length: int) -> None:
        self._model = model
        self._script = script
        self._admission = admission
        self._context = context_length
        self._tokens = FileTokens(lambda: TOKENIZER)

    async def open(self) -> None:
        """Nothing to load."""

    async def close(self) -> None:
        """Nothing to free."""

    async def probe(self) -> None:
        """It always answers."""

    def tokenizer(self) -> bytes | None:
        """Counts words."""
        return TOKENIZER

    def tokens(self) -> TokenCodec | None:
        """Known words."""
        return self._tokens

    async def complete(self, request: ChatRequest) -> Completion:
        """The whole reply."""
        return await collect(self.stream(request))

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Piece, None]:
        """The reply word by word."""
        generation_request = read_generation_request(request)
        text = "\n".join(message["content"] for message in generation_request.messages)
        prompt = count_words(text)
        room = room_for_answer(generation_request, prompt, self._context, USUAL_TOKENS, count_words)
        reply = self._formed(generation_request, self._reply(text, generation_request.messages[-1]["content"]))
        release = await self._admission.enter(prompt + room * generation_request.choices)
        written = 0
        try:
            for index in range(generation_request.choices):
                for tokens, piece in _reply_steps(generation_request, index, reply, room):
                    written += tokens
                    if tokens:
                        await asyncio.sleep(self._script.pace_seconds)
                    if piece is not None:
                        yield piece
            yield usage_piece(usage_of(prompt, written))
        finally:
            release()

    def _reply(self, conversation: str, last: str) -> str:
        for rule in self._script.rules:
            if re.search(rule.when, conversation, re.IGNORECASE | re.DOTALL):
                return rule.reply
        return f"You said: {last}"

    def _formed(self, generation_request: GenerationRequest, reply: str) -> str:
        processor = _processors().create(generation_request)
        if processor is None or processor.again().fits(list(reply.encode())):
            return reply
        return _shortest(processor).decode("utf-8", "replace")


@cache
def _processors() -> LogitsProcessors:
    return LogitsProcessors.for_bytes()


def _shortest(processor: LogitsProcessor) -> bytes:
    """Something short that has the form: what closes comes first, and what was not written yet before what was."""
    written: Counter[int] = Counter()
    content = bytearray()
    while len(content) < LONGEST_CONSTRAINED:
        allowed = processor.allowed()
        if allowed[_processors().end]:
            break
        closing = [byte for byte in SHORTEST_FIRST if allowed[byte]]
        byte = closing[0] if closing else min(np.flatnonzero(allowed[:256]).tolist(), key=lambda b: (written[b], b))
        written[byte] += 1
        content.append(byte)
        if processor.take(byte):
            break
    return bytes(content)


def _reply_steps(
    generation_request: GenerationRequest, index: int, reply: str, room: int
) -> Iterator[tuple[int, Piece | None]]:
    """One choice: how many tokens each step writes, and what of it is shown."""
    scanner, reason, written = StopScanner(generation_request.stops), "stop", 0
    reader = (
        CallReader(generation_request.tools, structured=generation_request.schema is not None)
        if generation_request.tools
        else None
    )
    for token in TOKEN.findall(reply):
        counted = count_words(token)
        if written + counted > room:
            reason = "length"
            break
        written += counted
        shown = scanner.feed(token)
        text = reader.feed(shown) if reader else shown
        yield counted, text_piece(text, index, _logprobs(generation_request, text)) if text else None
        if scanner.found:
            break
    rest = scanner.flush()
    left = reader.feed(rest) if reader else rest
    more, calls = reader.finish("length" if scanner.found else reason) if reader else ("", [])
    left += more
    if left:
        yield 0, text_piece(left, index, _logprobs(generation_request, left))
    if reason == "stop" and not (scanner.found or calls) and generation_request.schema is not None:
        check_answer(generation_request.schema, reply)
    if calls:
        reason = "length" if reason == "length" else "tool_calls"
        yield 0, calls_piece(calls, index)
    yield 0, end_piece(reason, index)


def _logprobs(generation_request: GenerationRequest, text: str) -> list[dict[str, Any]] | None:
    if not generation_request.sampling.logprobs:
        return None
    tokens = [{"token": token, "logprob": 0.0, "bytes": list(token.encode())} for token in TOKEN.findall(text)]
    return [{**token, "top_logprobs": [token] if generation_request.sampling.top_logprobs else []} for token in tokens]
