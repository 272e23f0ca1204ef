"""The API's advice in the words of the command line: its errors name calls, and most of those are a command here."""

from __future__ import annotations

import re
import shlex
from typing import Any

from contracts.operations import administration, agents, documents, evaluations, feedback, models, prompts, tuning
from contracts.operations import question_sets as questions
from contracts.operations.operation import Operation

COMMANDS: tuple[tuple[Operation[Any], str], ...] = (
    (documents.LIST_COLLECTIONS, "collection list"),
    (documents.GET_COLLECTION, "collection list"),
    (documents.CREATE_COLLECTION, "collection create"),
    (documents.LIST_DOCUMENTS, "collection documents {}"),
    (models.LIST_PULLS, "model pulls"),
    (models.CANCEL_PULL, "model pulls --cancel {}"),
    (models.LIST_MODELS, "model list"),
    (models.DELETE_MODEL, "model remove {}"),
    (agents.LIST_AGENTS, "agent list"),
    (agents.CREATE_THREAD, "agent run"),
    (prompts.LIST_PROMPTS, "prompt list"),
    (prompts.GET_PROMPT, "prompt show {}"),
    (prompts.MOVE_LABEL, "prompt label {} {} VERSION"),
    (feedback.LIST_FEEDBACK, "feedback list"),
    (questions.LIST_QUESTION_SETS, "questions list"),
    (questions.LIST_QUESTION_SET_VERSIONS, "questions show {}"),
    (questions.LIST_GENERATIONS, "questions runs {}"),
    (questions.CREATE_QUESTION_SET, "questions save"),
    (evaluations.LIST_EVALUATIONS, "evaluation list"),
    (evaluations.LIST_MONITORS, "evaluation monitor list"),
    (evaluations.DELETE_MONITOR, "evaluation monitor delete {}"),
    (evaluations.LIST_TRIALS, "evaluation sweep list"),
    (evaluations.DELETE_TRIAL, "evaluation sweep delete {}"),
    (tuning.LIST_FINE_TUNING_JOBS, "tune list"),
    (tuning.PUBLISH_FINE_TUNING_JOB, "tune publish {}"),
    (tuning.DELETE_FINE_TUNING_JOB, "tune delete {}"),
    (administration.LIST_KEYS, "key list"),
    (administration.DELETE_KEY, "key revoke {}"),
    (administration.LIST_TENANTS, "tenant list"),
    (administration.LIST_ROUTES, "route list"),
    (administration.LIST_ROUTE_VERSIONS, "route versions {}"),
    (administration.PUT_ROUTE, "route set {} FILE"),
)
"""Calls that errors name, those of longer paths before those that would fit them too, and what does the same here."""

_QUOTED = r"""(?<!\w)(?:'.*?'|".*?")(?!\w)"""
_CALL = r"""(?P<call>(?:GET|POST|PUT|PATCH|DELETE) /v1/[^\s`]*[^\s`.,;:()'"])"""
_WORDS = re.compile(
    rf"{_QUOTED}|(?P<field>`groundwork\.model`)|(?P<tick>`|(?<!`)\b){_CALL}(?P=tick)(?=[.,;:()]*(?:\s|$))"
)
"""What is quoted is somebody's own and stays as it is; a call is a whole word, since ids may have any character."""

_PARAMETER = re.compile(r"\\\{\w+\\\}")


def in_commands(message: str) -> str:
    """A message of the API with a command in place of each call that has one, and of a field that is an option.

    Nothing is replaced inside quotes.
    """
    return _WORDS.sub(_command, message)


def _command(found: re.Match[str]) -> str:
    if found["field"]:
        return "`--model`"
    for pattern, command in _PATTERNS:
        call = pattern.fullmatch(found["call"] or "")
        if call is not None:
            values = (value[1:-1].upper() if value[0] == "{" else shlex.quote(value) for value in call.groups())
            return f"`groundwork {command.format(*values)}`"
    return found[0]


def _pattern(operation: Operation[Any]) -> re.Pattern[str]:
    """Of its calls, each value as the contract has it, or the parameter itself."""
    values = (rf"(\{{\w+\}}|{operation.parameter(name)[1].pattern})" for name in operation.parameters)
    return re.compile(_PARAMETER.sub(lambda _: next(values), re.escape(operation.id)))


_PATTERNS = [(_pattern(operation), command) for operation, command in COMMANDS]
