"""One answer while it is written: tokens become text, calls and log probabilities, and pieces of these go out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from inference.engines.stop_scanner import StopScanner
from inference.protocol.engines import Piece
from inference.protocol.pieces import Logprobs, calls_piece, end_piece, text_piece
from inference.requests.generation_request import GenerationRequest
from inference.schemas.validation import check_answer
from inference.tool_calls.calls import CallReader

Likely = tuple[float, list[tuple[int, float]]]
"""A token's log probability, and tokens with theirs, likeliest first."""


class Answer:
    """One choice of a request."""

    def __init__(
        self,
        generation_request: GenerationRequest,
        index: int,
        tokenizer: Any,
        bytes_of: Callable[[int], bytes],
        send: Callable[[Piece], None],
    ) -> None:
        from tokenizers.decoders import DecodeStream  # loaded with the model, not with the service

        self._generation_request = generation_request
        self._index = index
        self._tokenizer = tokenizer
        self._bytes_of = bytes_of
        self._send = send
        self._decoder = DecodeStream(skip_special_tokens=True)
        self._scanner = StopScanner(generation_request.stops)
        self._reader = (
            CallReader(generation_request.tools, structured=generation_request.schema is not None)
            if generation_request.tools
            else None
        )
        self._logprobs: list[tuple[int, dict[str, Any]]] | None = [] if generation_request.sampling.logprobs else None
        """Of tokens that were not sent yet, each with the place in the text where it begins."""
        self._decoded = 0
        self._shown = 0
        self._said = ""

    def take(self, token: int, likely: Likely | None) -> bool:
        """Go on with a token; true when a stop string is complete."""
        if self._logprobs is not None and likely is not None:
            self._logprobs.append((self._decoded, self._entry(token, likely)))
        text = self._decoder.step(self._tokenizer, token)
        if text:
            self._decoded += len(text)
            self._show(self._scanner.feed(text))
        return self._scanner.found

    def end(self, reason: str) -> None:
        """No more tokens come; raises `AnswerUnfit` where the answer has not the form that was asked for."""
        self._show(self._scanner.flush())
        if self._reader is not None:
            text, calls = self._reader.finish("length" if self._scanner.found else reason)
            self._say(text)
            if calls:
                reason = "length" if reason == "length" else "tool_calls"
                self._send(calls_piece(calls, self._index, self._due()))
        if reason == "stop" and not self._scanner.found and self._generation_request.schema is not None:
            check_answer(self._generation_request.schema, self._said)
        rest = self._due()
        self._send(end_piece(reason, self._index, rest or None))

    def _show(self, text: str) -> None:
        self._shown += len(text)
        self._say(self._reader.feed(text) if self._reader else text)

    def _say(self, shown: str) -> None:
        if shown:
            self._said += shown
            self._send(text_piece(shown, self._index, self._due()))

    def _due(self) -> Logprobs | None:
        """The log probabilities of the tokens whose text has been shown; those of a stop string never are."""
        if self._logprobs is None:
            return None
        due = [entry for start, entry in self._logprobs if start < self._shown]
        self._logprobs = [(start, entry) for start, entry in self._logprobs if start >= self._shown]
        return due

    def _entry(self, token: int, likely: Likely) -> dict[str, Any]:
        logprob, others = likely
        tops = [self._described(other, chance) for other, chance in others]
        return {**self._described(token, logprob), "top_logprobs": tops}

    def _described(self, token: int, logprob: float) -> dict[str, Any]:
        raw = self._bytes_of(token)
        return {"token": raw.decode("utf-8", "replace"), "logprob": logprob, "bytes": list(raw)}
