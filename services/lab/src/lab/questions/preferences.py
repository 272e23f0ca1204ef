"""A line of a file with pairs of answers, in OpenAI's words for its preference method or in TRL's, which
`GET /v1/feedback/export` writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from contracts.core.validation import what_is_wrong
from contracts.improvement.question_sets import Preference

OPENAI = ("input", "preferred_output", "non_preferred_output")
TRL = ("prompt", "chosen", "rejected")
LINE = (
    'a line is {"input": {"messages": […]}, "preferred_output": […], "non_preferred_output": […]} or '
    '{"prompt": […], "chosen": […], "rejected": […]}'
)


def preference_of(line: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """What is asked, with the line's other fields, and the pair; raises `ValueError` that says what is wrong."""
    names = OPENAI if OPENAI[0] in line else TRL
    if any(name not in line for name in names):
        raise ValueError(LINE)
    asked, preferred, rejected = (line[name] for name in names)
    rest = {name: value for name, value in line.items() if name not in names}
    turns = asked if names is TRL else _messages(asked)
    if isinstance(turns, str):
        turns = [{"role": "user", "content": turns}]
    if not isinstance(turns, list) or not turns:
        raise ValueError(LINE)
    if rest.keys() & {"turns", "question", "preferences"}:
        raise ValueError(f"'{names[0]}' has what is asked, and the two answers are the pair; leave the other words out")
    pair = {"preferred": _answer(names[1], preferred), "rejected": _answer(names[2], rejected)}
    try:
        Preference.model_validate(pair)
    except ValidationError as error:
        raise ValueError(what_is_wrong(error.errors(include_url=False)[0])) from None
    return {**rest, "turns": turns}, pair


def _messages(asked: Any) -> Any:
    if not isinstance(asked, dict):
        raise ValueError(LINE)  # of the line, as all others
    if asked.get("tools"):
        raise ValueError("calls of tools are not learnt here: leave 'tools' out, and lines that need them")
    return asked.get("messages")


def _answer(name: str, given: Any) -> str:
    """The text of an answer: one message of the assistant, or the text alone."""
    only = given[0] if isinstance(given, list) and len(given) == 1 else None
    if isinstance(only, dict) and only.get("role") == "assistant":
        given = only.get("content")
    if isinstance(given, str) and given:
        return given
    raise ValueError(f'\'{name}\' must be one message of the assistant with a text: [{{"role": "assistant", …}}]')
