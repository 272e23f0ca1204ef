"""Screens a chat answer while it passes, whole or streamed."""

from __future__ import annotations

import json
from typing import Any

from gateway.guardrails.delta_texts import Place, say, spoken
from gateway.guardrails.screen import DETECTORS, Screen, action_of, dicts, encoded
from gateway.streaming.observer import StreamObserver
from servicekit.guards.masks import StreamMask
from servicekit.streams.sse import END, data_of, is_done
from servicekit.web.json_bodies import off_loop


class GuardrailObserver:
    """Screens an answer after another tap, streams without ever letting the beginning of a finding out.

    All of an answer is looked at but references (`json_texts.OUR_REFERENCES`), so that a new field is screened.
    """

    def __init__(self, observer: StreamObserver, screen: Screen, headers: dict[str, str]) -> None:
        """`headers` of the answer, which tell of decisions that were made before it began."""
        self._headers = headers
        self._observer = observer
        self._screen = screen
        self._masks: dict[tuple[int, Place], StreamMask] = {}
        self._last: dict[str, Any] = {}

    async def whole(self, body: bytes) -> bytes:
        """The answer screened; raises `ContentBlocked`."""
        out = await self._observer.whole(body)
        return await off_loop(len(out), self._whole, out)

    async def frame(self, frame: bytes) -> bytes:
        """A frame with as much of the text as can go out now; raises `ContentBlocked`."""
        out = await self._observer.frame(frame)
        concerns = self._screen.screens_output or b'"groundwork":' in out
        if not concerns or not out or out.startswith(b":") or is_done(out):
            return out
        return await off_loop(len(out), self._frame, out)

    async def last(self) -> bytes:
        """What was held back to the end, if no finish reason let it out."""
        deltas: dict[int, dict[str, Any]] = {}
        for index in dict.fromkeys(index for index, _ in self._masks):
            self._add_rest(index, deltas.setdefault(index, {}))
        choices = [{"index": index, "delta": delta, "finish_reason": None} for index, delta in deltas.items() if delta]
        frame = b"data: " + encoded({**self._last, "choices": choices}) + END if choices else b""
        return frame + await self._observer.last()

    def cut_off(self) -> None:
        """The other tap's."""
        self._observer.cut_off()

    def close(self) -> None:
        """The other tap's."""
        self._observer.close()

    def _whole(self, body: bytes) -> bytes:
        try:
            answer = json.loads(body)
        except ValueError:
            return body
        if not isinstance(answer, dict):
            return encoded(self._screen.screened_answer(answer))
        if self._screen.screens_output:
            for choice in dicts(answer.get("choices")):
                self._hide_tokens(choice)
            answer = self._screen.screened_answer(answer)
        self._report_in(answer)
        self._headers.update(self._screen.header())
        return encoded(answer)

    def _frame(self, frame: bytes) -> bytes:
        try:
            chunk = json.loads(data_of(frame))
        except ValueError:
            return frame
        if not isinstance(chunk, dict):
            return b"data: " + encoded(self._screen.screened_answer(chunk)) + END
        if self._screen.screens_output:
            chunk = self._screened(chunk)
        self._report_in(chunk)
        self._last = {name: chunk.get(name) for name in ("id", "object", "created", "model")}
        return b"data: " + encoded(chunk) + END

    def _screened(self, chunk: dict[str, Any]) -> dict[str, Any]:
        """A chunk with its words as far as they can go out, and all else of it screened whole."""
        choices = dicts(chunk.get("choices"))
        deltas = [choice.pop("delta", None) for choice in choices]
        cited = [delta.pop("annotations", None) if isinstance(delta, dict) else None for delta in deltas]
        for choice, delta, annotated in zip(choices, deltas, cited, strict=True):
            self._hide_tokens(choice)
            if isinstance(delta, dict):
                self._screen_words(choice, delta, is_last=annotated is not None)
        clean, cited = self._screen.screened_answer([chunk, cited])
        for choice, delta, annotated in zip(dicts(clean.get("choices")), deltas, cited, strict=True):
            if isinstance(delta, dict) and annotated is not None:
                delta["annotations"] = annotated
            if delta is not None:
                choice["delta"] = delta
        screened: dict[str, Any] = clean
        return screened

    def _screen_words(self, choice: dict[str, Any], delta: dict[str, Any], *, is_last: bool) -> None:
        index = choice["index"] if isinstance(choice.get("index"), int) else 0
        for place, holder, name in spoken(delta):
            mask = self._masks.get((index, place)) or self._masks.setdefault((index, place), self._screen.new_mask())
            holder[name] = mask.feed(holder[name])
            self._note(mask)
        if choice.get("finish_reason") or is_last:
            self._add_rest(index, delta)

    def _add_rest(self, index: int, delta: dict[str, Any]) -> None:
        """What was held back of a choice goes out with this delta."""
        for (choice, place), mask in self._masks.items():
            rest = mask.end() if choice == index else ""
            self._note(mask)
            if rest:
                say(delta, place, rest)

    def _hide_tokens(self, choice: dict[str, Any]) -> None:
        """Probabilities spell the answer out, token by token."""
        rules = self._screen.rules.output
        if choice.get("logprobs") and any(action_of(rules, guard) in ("redact", "block") for guard in DETECTORS):
            choice["logprobs"] = None

    def _note(self, mask: StreamMask) -> None:
        found, mask.found = mask.found, []
        self._screen.note(found)

    def _report_in(self, answer: dict[str, Any]) -> None:
        """A receipt gets the decisions."""
        report = answer.get("groundwork")
        receipt = report.get("receipt") if isinstance(report, dict) else None
        if isinstance(receipt, dict):
            own = [decision.model_dump() for decision in self._screen.decisions]
            receipt["guardrails"] = [*dicts(receipt.get("guardrails")), *own]
