"""A key's guardrails on one call: what goes in, what was retrieved, and what comes out."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from pydantic import BaseModel

from contracts.chat import ChatRequest, Message, TextPart
from contracts.guardrails import Action, GuardDecision, Guardrails, TextGuards, Where
from gateway.frames import END, data_of, is_done
from gateway.guardrails.detectors import Injection, PersonalData, Secrets
from gateway.guardrails.masking import StreamMask, masked
from gateway.guardrails.speech import Place, say, spoken
from gateway.metrics import GUARDRAILS
from gateway.ports import Finding, Guard
from gateway.route_errors import ContentBlocked, InputTooLong
from gateway.taps import Tap

log = structlog.get_logger(__name__)
HEADER = "X-Groundwork-Guardrails"
GUARDS: tuple[Guard, ...] = (Secrets(), PersonalData())
INJECTION: Guard = Injection()
OURS = ("system", "developer")
"""Roles whose words no document has."""
_REFERENCES = frozenset(("id", "tool_call_id", "type"))
"""Fields that name something, and would name nothing if masked."""
_MEDIA = re.compile(r"data:[\w.+-]+/[\w.+-]+;base64,[A-Za-z0-9+/_=-]*")
"""Pictures and sounds; not any text that begins like one."""


@dataclass(slots=True)
class Screening:
    """The decisions of one call, each counted once."""

    rules: Guardrails
    decisions: list[GuardDecision] = field(default_factory=list)

    @property
    def screens_output(self) -> bool:
        """Whether answers are looked at."""
        return self.rules.output != TextGuards()

    def question(self, request: ChatRequest) -> ChatRequest:
        """The request as it may go on; raises `ContentBlocked` or `InputTooLong`."""
        most = self.rules.max_input_chars
        if most is not None:
            length = sum(_characters(message) for message in request.messages)
            if length > most:
                self._note("size", "input", "block", ["characters"])
                raise InputTooLong(length, most)
        if self.rules.input == TextGuards():
            return request
        messages = [self._message(message) for message in request.messages]
        return request.model_copy(update={"messages": messages, **self._unknown(request)})

    def retrieved(self, request: ChatRequest) -> None:
        """Look for orders in the prompt of a call inside an answer from documents; raises `ContentBlocked`."""
        if self.rules.injection == "off":
            return
        texts = [message.plain_text() for message in request.messages if message.role not in OURS]
        found = [finding for text in texts for finding in INJECTION.find(text)]
        if found:
            self._decide(INJECTION.name, "retrieved", self.rules.injection, [finding.kind for finding in found])

    def whole_text(self, text: str, guards: TextGuards, where: Where) -> str:
        """A text with what is to be masked masked; raises `ContentBlocked`."""
        for guard in GUARDS:
            action = action_of(guards, guard)
            findings = guard.find(text) if action != "off" else []
            if findings:
                self._decide(guard.name, where, action, [finding.kind for finding in findings])
            if action == "redact":
                text = masked(text, findings)
        return text

    def note(self, found: Sequence[tuple[str, Finding]]) -> None:
        """What a stream's mask has found."""
        for name in dict.fromkeys(name for name, _ in found):
            kinds = [finding.kind for guard, finding in found if guard == name]
            self._decide(name, "output", str(getattr(self.rules.output, name)), kinds)

    def header(self) -> dict[str, str]:
        """The decisions in short: `input.pii=redact:2`."""
        counted: Counter[str] = Counter()
        for one in self.decisions:
            counted[f"{one.where}.{one.guard}={one.action}"] += one.count
        return {HEADER: ", ".join(f"{what}:{count}" for what, count in counted.items())} if counted else {}

    def _message(self, message: Message) -> Message:
        content = message.content
        if isinstance(content, str):
            content = self._asked(content)
        elif content:
            content = [self._part(part) for part in content]
        return message.model_copy(update={"content": content, **self._unknown(message)})

    def _part(self, part: TextPart) -> TextPart:
        text = None if part.text is None else self._asked(part.text)
        return part.model_copy(update={"text": text, **self._unknown(part)})

    def _unknown(self, holder: BaseModel) -> dict[str, Any]:
        """Fields that only the upstream knows, arguments of tools among them, are read by it like any other text."""
        return {name: self._inside(name, value) for name, value in (holder.model_extra or {}).items()}

    def _inside(self, name: str, value: Any) -> Any:
        if isinstance(value, str):
            return value if name in _REFERENCES or _MEDIA.fullmatch(value) else self._asked(value)
        if isinstance(value, list):
            return [self._inside(name, item) for item in value]
        return {key: self._inside(key, item) for key, item in value.items()} if isinstance(value, dict) else value

    def _asked(self, text: str) -> str:
        return self.whole_text(text, self.rules.input, "input")

    def _decide(self, guard: str, where: Where, action: str, kinds: Sequence[str]) -> None:
        self._note(guard, where, action, kinds)
        if action == "block":
            raise ContentBlocked(guard, where, sorted(set(kinds)))

    def _note(self, guard: str, where: Where, action: str, kinds: Iterable[str]) -> None:
        found = list(kinds)
        decision = GuardDecision(guard=guard, where=where, action=action, kinds=sorted(set(found)), count=len(found))
        self.decisions.append(decision)
        GUARDRAILS.labels(guard, where, action).inc()
        log.info("guardrail", guard=guard, where=where, action=action, kinds=decision.kinds, count=decision.count)


def _characters(message: Message) -> int:
    """What a model reads of a message: its text, and that of fields which only the model knows."""
    parts = message.content if isinstance(message.content, list) else ()
    extra = [message.model_extra or {}, *(part.model_extra or {} for part in parts)]
    return len(message.plain_text()) + sum(_characters_in(value) for value in extra)


def _characters_in(value: Any) -> int:
    if isinstance(value, str):
        return 0 if _MEDIA.fullmatch(value) else len(value)
    if isinstance(value, dict):
        value = value.values()
    return sum(_characters_in(item) for item in value) if isinstance(value, Iterable) else 0


def action_of(guards: TextGuards, guard: Guard) -> Action:
    """What is done about this guard's findings."""
    action: Action = getattr(guards, guard.name)
    return action


class GuardTap:
    """Screens an answer after another tap, streams without ever letting the beginning of a finding out."""

    def __init__(self, tap: Tap, screening: Screening, headers: dict[str, str]) -> None:
        """`headers` of the answer, which tell of decisions that were made before it began."""
        self._headers = headers
        self._tap = tap
        self._screening = screening
        self._masks: dict[tuple[int, Place], StreamMask] = {}
        self._last: dict[str, Any] = {}

    async def whole(self, body: bytes) -> bytes:
        """The answer screened; raises `ContentBlocked`."""
        out = await self._tap.whole(body)
        try:
            answer = json.loads(out)
        except ValueError:
            return out
        for choice in _dicts(answer.get("choices")):
            message = choice.get("message")
            if isinstance(message, dict):
                for _, holder, name in spoken(message):
                    self._screen(holder, name)
                self._hide_tokens(choice)
                self._screen_citations(message)
        self._screen_report(answer)
        self._headers.update(self._screening.header())
        return _encoded(answer)

    async def frame(self, frame: bytes) -> bytes:
        """A frame with as much of the text as can go out now; raises `ContentBlocked`."""
        out = await self._tap.frame(frame)
        concerns = self._screening.screens_output or b'"groundwork":' in out
        if not concerns or not out or out.startswith(b":") or is_done(out):
            return out
        try:
            chunk = json.loads(data_of(out))
        except ValueError:
            return out
        for choice in _dicts(chunk.get("choices")) if self._screening.screens_output else ():
            self._screen_choice(choice)
        self._screen_report(chunk)
        self._last = {name: chunk.get(name) for name in ("id", "object", "created", "model")}
        return b"data: " + _encoded(chunk) + END

    async def last(self) -> bytes:
        """What was held back to the end, if no finish reason let it out."""
        deltas: dict[int, dict[str, Any]] = {}
        for index in dict.fromkeys(index for index, _ in self._masks):
            self._add_rest(index, deltas.setdefault(index, {}))
        choices = [{"index": index, "delta": delta, "finish_reason": None} for index, delta in deltas.items() if delta]
        frame = b"data: " + _encoded({**self._last, "choices": choices}) + END if choices else b""
        return frame + await self._tap.last()

    def cut_off(self) -> None:
        """The other tap's."""
        self._tap.cut_off()

    def close(self) -> None:
        """The other tap's."""
        self._tap.close()

    def _screen_choice(self, choice: dict[str, Any]) -> None:
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            return
        index = int(choice["index"]) if isinstance(choice.get("index"), int) else 0
        self._hide_tokens(choice)
        for place, holder, name in spoken(delta):
            mask = self._masks.setdefault((index, place), self._new_mask())
            holder[name] = mask.feed(holder[name])
            self._report(mask)
        if choice.get("finish_reason") or delta.get("annotations") is not None:
            self._add_rest(index, delta)
        self._screen_citations(delta)

    def _add_rest(self, index: int, delta: dict[str, Any]) -> None:
        """What was held back of a choice goes out with this delta."""
        for (choice, place), mask in self._masks.items():
            rest = mask.end() if choice == index else ""
            self._report(mask)
            if rest:
                say(delta, place, rest)

    def _hide_tokens(self, choice: dict[str, Any]) -> None:
        """Probabilities spell the answer out, token by token."""
        rules = self._screening.rules.output
        if choice.get("logprobs") and any(action_of(rules, guard) in ("redact", "block") for guard in GUARDS):
            choice["logprobs"] = None

    def _new_mask(self) -> StreamMask:
        rules = self._screening.rules.output
        looking = [guard for guard in GUARDS if action_of(rules, guard) != "off"]
        return StreamMask(looking, [guard.name for guard in looking if action_of(rules, guard) == "redact"])

    def _report(self, mask: StreamMask) -> None:
        found, mask.found = mask.found, []
        self._screening.note(found)

    def _screen_citations(self, holder: dict[str, Any]) -> None:
        for annotation in _dicts(holder.get("annotations")):
            self._screen(annotation, "quote")

    def _screen_report(self, answer: dict[str, Any]) -> None:
        """Sources are screened like the answer; the receipt gets the decisions."""
        report = answer.get("groundwork")
        if not isinstance(report, dict):
            return
        for source in _dicts(report.get("sources")):
            self._screen(source, "text")
        receipt = report.get("receipt")
        if isinstance(receipt, dict):
            own = [decision.model_dump() for decision in self._screening.decisions]
            receipt["guardrails"] = [*_dicts(receipt.get("guardrails")), *own]

    def _screen(self, holder: dict[str, Any], name: str) -> None:
        if isinstance(holder.get(name), str):
            holder[name] = self._screening.whole_text(holder[name], self._screening.rules.output, "output")


def _dicts(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _encoded(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
