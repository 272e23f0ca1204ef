"""A key's guardrails on one call: what goes in, what was retrieved, and what comes out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import structlog
from pydantic import BaseModel

from contracts.access.guardrails import Action, GuardDecision, Guardrails, TextGuards, Where
from contracts.models.chat import ChatRequest, Message
from contracts.operations.reach import CHAT, Reach
from gateway.guardrails.errors import BodyUnreadable, ContentBlocked, InputTooLong
from gateway.guardrails.json_texts import OUR_REFERENCES, REFERENCES, Found, Json, Texts, outside
from gateway.metrics import GUARDRAILS
from servicekit.guards.detectors import Injection, PersonalData, Secrets
from servicekit.guards.findings import Detector, Finding
from servicekit.guards.masks import StreamMask
from servicekit.web.json_bodies import off_loop

log = structlog.get_logger(__name__)
HEADER = "X-Groundwork-Guardrails"
DETECTORS: tuple[Detector, ...] = (Secrets(), PersonalData())
INJECTION: Detector = Injection()
OURS = ("system", "developer")
"""Roles whose words no document has."""
Asked = TypeVar("Asked", bound=BaseModel)


@dataclass(slots=True)
class Screen:
    """The decisions of one call, each counted once."""

    rules: Guardrails
    reach: Reach = CHAT
    decisions: list[GuardDecision] = field(default_factory=list)

    @property
    def screens_output(self) -> bool:
        """Whether answers are looked at."""
        return self.reach.answer and self.rules.output != TextGuards()

    @property
    def screens_input(self) -> bool:
        """Whether questions are looked at."""
        return self.reach.question and (self.rules.input != TextGuards() or self._max_chars is not None)

    async def question(self, request: Asked, size: int) -> Asked:
        """A request as it may go on, whose body had so many bytes; raises `ContentBlocked` or `InputTooLong`."""
        if not self.screens_input:
            return request
        return await off_loop(size, self._request, request)

    async def question_body(self, body: bytes) -> bytes:
        """The same for a body that another service parses; raises `BodyUnreadable`, too."""
        if not self.screens_input or not body:
            return body
        return await off_loop(len(body), self._body, body)

    async def answer(self, body: bytes) -> bytes:
        """A whole answer in JSON as it may go out; raises `ContentBlocked`."""
        if not self.screens_output or not body:
            return body
        return await off_loop(len(body), self._answer_body, body)

    async def inner_question(self, request: ChatRequest, size: int) -> ChatRequest:
        """A model call's request at the model plane, as it may go on; raises `ContentBlocked`."""
        return await off_loop(size, self._inner, request)

    def retrieved(self, request: ChatRequest) -> None:
        """Look for orders in the prompt of a call inside an answer from documents; raises `ContentBlocked`."""
        if self.rules.injection == "off":
            return
        texts = [message.plain_text() for message in request.messages if message.role not in OURS]
        found = [finding for text in texts for finding in INJECTION.find(text)]
        if found:
            self._decide(INJECTION.name, "retrieved", self.rules.injection, [finding.kind for finding in found])

    def screened_answer(self, answer: Json) -> Json:
        """An answer's JSON, or any part of it, with what is to be masked masked; raises `ContentBlocked`."""
        return self.screened(answer, self.rules.output, "output", OUR_REFERENCES)

    def screened(
        self,
        value: Json,
        rules: TextGuards,
        where: Where,
        references: frozenset[str] = REFERENCES,
        *,
        quiet: bool = False,
        refuses: bool = True,
    ) -> Json:
        """A value with what is to be masked masked: the same object if that is nothing. `quiet` notes no masks; without
        `refuses` a text that is to be blocked is empty, and the others stay."""
        before = Texts.of(value, references)
        hidden: list[Found] = []
        gone: list[Found] = []
        for guard in DETECTORS:
            action = action_of(rules, guard)
            if action == "off" or (action == "flag" and (quiet or self._was_noted(where))):
                continue
            # In the text as it came: what another guard masks may be the head of a finding of this one.
            found = outside(before.find(guard, joined=where == "input" and self.reach.is_one_text), hidden)
            if found and (action == "block" or not quiet):
                (self._decide if refuses else self._note)(guard.name, where, action, [one.kind for one in found])
            if action == "redact":
                hidden += found
            elif action == "block":
                gone += found
        return value if not hidden and not gone else before.masked(hidden).emptied(gone).put_back(value, before)

    def note(self, found: Sequence[tuple[str, Finding]]) -> None:
        """What a stream's mask has found."""
        for name in dict.fromkeys(name for name, _ in found):
            kinds = [finding.kind for guard, finding in found if guard == name]
            action = str(getattr(self.rules.output, name))
            if action != "flag" or not self._was_noted("output"):
                self._decide(name, "output", action, kinds)

    def new_mask(self) -> StreamMask:
        """For one text of a streamed answer."""
        rules = self.rules.output
        looking = [guard for guard in DETECTORS if action_of(rules, guard) != "off"]
        return StreamMask(looking, [guard.name for guard in looking if action_of(rules, guard) == "redact"])

    def header(self) -> dict[str, str]:
        """The decisions in short: `input.pii=redact:2`."""
        counted: Counter[str] = Counter()
        for one in self.decisions:
            counted[f"{one.where}.{one.guard}={one.action}"] += one.count
        return {HEADER: ", ".join(f"{what}:{count}" for what, count in counted.items())} if counted else {}

    def _inner(self, request: ChatRequest) -> ChatRequest:
        """Of a run's request that is noted which tools have told it since its last answer; the rest was before."""
        self.retrieved(request)
        if not self.reach.question or self.rules.input == TextGuards():
            return request
        for message in _since_last_answer(request.messages):
            if message.role == "tool":
                self.screened(message.model_dump(), self.rules.input, "retrieved")
        return self._replaced(request, lambda asked: self.screened(asked, self.rules.input, "input", quiet=True))

    def _request(self, request: Asked) -> Asked:
        return self._replaced(request, self._asked)

    def _replaced(self, request: Asked, screen: Callable[[dict[str, Any]], Json]) -> Asked:
        """A request with what a screen does to all of it that reaches a model."""
        whole = request.model_dump(exclude_unset=True)
        asked = {name: value for name, value in whole.items() if name not in self.reach.spared}
        clean = screen(asked)
        return request if clean is asked else type(request).model_validate({**whole, **clean})

    def _body(self, body: bytes) -> bytes:
        whole = _parsed(body)
        if not isinstance(whole, dict):
            return body  # no request of any route: whoever parses it says what it must be
        asked = {name: value for name, value in whole.items() if name not in self.reach.spared}
        clean = self._asked(asked)
        return body if clean is asked else encoded({**whole, **clean})

    def _asked(self, asked: Json) -> Json:
        most = self._max_chars
        length = Texts.of(asked).characters if most is not None else 0
        if most is not None and length > most:
            self._note("size", "input", "block", ["characters"])
            raise InputTooLong(length, most)
        references = OUR_REFERENCES if self.reach.has_answers else REFERENCES
        return self.screened(asked, self.rules.input, "input", references)

    @property
    def _max_chars(self) -> int | None:
        return self.rules.max_input_chars if self.reach.is_bounded else None

    def _answer_body(self, body: bytes) -> bytes:
        answer = json.loads(body)
        own = [holder.pop(name, None) for holder, name in _own_words(answer)] if self.reach.of_run else []
        clean = self.screened(answer, self.rules.output, "output", OUR_REFERENCES, refuses=not _is_page_of_runs(answer))
        for (holder, name), words in zip(_own_words(clean), own, strict=False):
            holder[name] = words
        return encoded(clean)

    def _was_noted(self, where: Where) -> bool:
        """Whether it was noted when a model said it: here it is masked or refused only."""
        return self.reach.of_run and where == "output"

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


def kept(value: Json, rules: TextGuards, *, joined: bool = False) -> Json:
    """A value as it may be stored: what a guard masks or refuses is masked, and nothing is noted."""
    masking = [guard for guard in DETECTORS if action_of(rules, guard) in ("redact", "block")]
    if not masking:
        return value
    before = texts = Texts.of(value, OUR_REFERENCES)
    for guard in masking:
        if found := texts.find(guard, joined=joined):
            texts = texts.masked(found)
    return value if texts is before else texts.put_back(value, before)


def _parsed(body: bytes) -> Json:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise BodyUnreadable from None


def _own_words(answer: Json) -> Iterator[tuple[dict[str, Any], str]]:
    """Where a run, a list of runs or a thread's history has what its caller wrote: nobody keeps that from them."""
    if isinstance(answer, dict):
        for holder in (answer, *dicts(answer.get("data"))):
            if holder.get("role") == "user":
                yield holder, "content"
            elif "thread_id" in holder:
                yield holder, "input"


def _is_page_of_runs(answer: Json) -> bool:
    """Whether one run that is to be blocked would keep the others, and all older ones, from whoever lists them."""
    return isinstance(answer, dict) and any("thread_id" in one and "agent" in one for one in dicts(answer.get("data")))


def _since_last_answer(messages: Sequence[Message]) -> Sequence[Message]:
    answered = [at for at, message in enumerate(messages) if message.role == "assistant"]
    return messages[answered[-1] + 1 :] if answered else messages


def action_of(guards: TextGuards, guard: Detector) -> Action:
    """What is done about this guard's findings."""
    action: Action = getattr(guards, guard.name)
    return action


def dicts(value: object) -> list[dict[str, Any]]:
    """The objects of a list, if it is one."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def encoded(value: object) -> bytes:
    """JSON without spaces."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
