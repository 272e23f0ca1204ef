"""The calls that a model asks for: put together from a stream, and screened before anything is done about them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from agent.schemas.validation import problems
from agent.steps.state import RunState
from agent.tools.tool import Tool
from contracts.agents.agents import AgentLimits
from contracts.core.values import check_value

Call = dict[str, Any]
MAX_CALLS_A_STEP = 32
MAX_ARGUMENT_CHARS = 64_000
SAME_CALL = 2
"""How often the very same call is made in a run; asked for again it is refused."""


@dataclass(slots=True)
class _Piece:
    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(slots=True)
class CallAssembly:
    """Puts calls together from the deltas of a stream."""

    _pieces: dict[int, _Piece] = field(default_factory=dict)

    def add(self, deltas: Iterable[Mapping[str, Any]]) -> None:
        """Some deltas, in the order in which they came. One without an index goes on with the last call."""
        for delta in deltas:
            index = delta.get("index")
            at = index if isinstance(index, int) else max(self._pieces, default=-1) + ("id" in delta)
            piece = self._pieces.setdefault(max(0, at), _Piece())
            function = delta.get("function") or {}
            piece.id = delta.get("id") or piece.id
            piece.name += function.get("name") or ""
            piece.arguments += function.get("arguments") or ""

    def calls(self, step: int, taken: Iterable[str], *, cut: bool = False) -> list[Call]:
        """The calls, each with an id that no other call of the run has; the last of a `cut` answer won't be made."""
        used = set(taken)
        found: list[Call] = []
        for number, (_, piece) in enumerate(sorted(self._pieces.items())):
            is_fit = piece.id and piece.id not in used and len(piece.id) <= 200 and piece.id.isprintable()
            call_id = piece.id if is_fit else _free_id(step, number, used)
            used.add(call_id)
            found.append({"id": call_id, "name": piece.name[:64], **_arguments(piece.arguments)})
        if cut and found:
            found[-1].setdefault("problem", "Not made: the answer was cut in the middle of it. Send a shorter call.")
        return found


def _free_id(step: int, number: int, used: Container[str]) -> str:
    """An id of our own; a model may have given that of the call's place to another one."""
    return next(one for at in count(number) if (one := f"call_{step}_{at}") not in used)


def _arguments(text: str) -> dict[str, Any]:
    if len(text) > MAX_ARGUMENT_CHARS:
        return {"arguments": {}, "problem": f"The arguments are longer than {MAX_ARGUMENT_CHARS:,} characters."}
    try:
        value = json.loads(text or "{}")
        check_value(value)  # what no store keeps and no answer can say: half a character, NaN
    except (ValueError, RecursionError) as error:
        return {"arguments": {}, "problem": f"The arguments are not valid JSON ({error}). Send the whole call again."}
    if not isinstance(value, dict):
        return {"arguments": {}, "problem": "The arguments must be a JSON object."}
    return {"arguments": value}


def fingerprint(name: str, arguments: Mapping[str, Any]) -> str:
    """Equal for the same call."""
    return hashlib.sha256(json.dumps([name, arguments], sort_keys=True).encode()).hexdigest()


def argument_problem(tool: Tool, arguments: Mapping[str, Any]) -> str | None:
    """What is wrong with the arguments of a call, if anything is."""
    wrong = problems(tool.parameters, arguments)
    return f"The arguments do not fit: {'; '.join(wrong)}. Correct them and call again." if wrong else None


def screen(calls: list[Call], tools: Mapping[str, Tool], limits: AgentLimits, state: RunState) -> dict[str, Any]:
    """Mark the calls that won't be made, with the reason as their `problem`; the changes of the state.

    Each call counts for the limit, also one that can't be made: else a model that gets none right would go on.
    """
    made = dict(state.get("made", {}))
    asked, refused, limit = state.get("calls_made", 0), state.get("refused", 0), None
    for number, call in enumerate(calls):
        print_ = fingerprint(call["name"], call["arguments"])
        problem = call.get("problem") or _problem(call, tools, number)
        if problem is None and made.get(print_, 0) >= SAME_CALL:
            problem, refused = _repetition(made[print_]), refused + 1
        if asked >= limits.tool_calls:
            problem, limit = problem or "Not made: the run may make no more tool calls.", "tool_calls"
        else:
            asked += 1
        if problem is None:
            made[print_] = made.get(print_, 0) + 1
        else:
            call["problem"] = problem
    changes: dict[str, Any] = {"made": made, "refused": refused, "calls_made": asked}
    return {**changes, "limit": limit} if limit else changes


def _problem(call: Call, tools: Mapping[str, Tool], number: int) -> str | None:
    tool = tools.get(call["name"])
    if tool is None:
        return f"There is no tool '{call['name']}'. There are: {', '.join(sorted(tools)) or 'none'}."
    if number >= MAX_CALLS_A_STEP:
        return f"Not made: at most {MAX_CALLS_A_STEP} calls at once."
    return argument_problem(tool, call["arguments"])


def _repetition(times: int) -> str:
    return (
        f"Not made: this very call was made {times} times in this run, and its results are above. "
        "Do something else, or answer with what you have."
    )
