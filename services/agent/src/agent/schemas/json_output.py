"""What a model wrote to fill a schema: read, checked, and as people may see it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from agent.sanitisation.sanitiser import sanitise_shaped, sanitise_value
from agent.schemas.validation import problems
from contracts.core.values import check_value

_FENCED = re.compile(r"\A\s*```(?:json)?\s*\n(.*?)\n\s*```\s*\Z", re.DOTALL)


def read_output(schema: Mapping[str, Any], text: str) -> tuple[Any, list[str]]:
    """The JSON value of an answer (None if there is none), and what is wrong with it. A code fence around it goes."""
    fenced = _FENCED.match(text)
    content = fenced.group(1) if fenced else text
    try:
        value = json.loads(content)
        check_value(value)  # half a character and NaN pass the parser, and no store keeps them
    except (ValueError, RecursionError) as error:
        return None, [f"it is not valid JSON ({error})"]
    return value, problems(schema, value)


def shown_output(schema: Mapping[str, Any], text: str) -> str:
    """An answer that has to fit a schema as people see it: JSON with nothing live in it save the schema's strings."""
    value, wrong = read_output(schema, text)
    if value is None and wrong:
        return sanitise_shaped(text)
    return shown_json(shown_value(schema, value))


def shown_json(value: Any) -> str:
    """As it goes out."""
    return json.dumps(value, ensure_ascii=False)


def shown_value(schema: Mapping[str, Any], value: Any) -> Any:
    """The same of its value."""
    return sanitise_value(value, frozenset(_strings(schema)))


def correction(wrong: list[str]) -> str:
    """What a model is told of an answer that does not fit."""
    return (
        "Your answer does not fit the schema: " + "; ".join(wrong) + ". Answer again with JSON that fits, nothing else."
    )


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from value
        for one in value.values():
            yield from _strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from _strings(one)
