"""Templates: `{{name}}` stands for a variable. Nothing else does anything: there is no code, and a value that is put in
is never read again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from agent.prompts.errors import PromptRefused, PromptTooLong, VariablesWrong
from contracts.agents.prompts import PromptDefinition, PromptMessage, PromptVariable

MAX_PLACES = 1_000
"""Of variables in one template."""
MAX_FILLED_CHARS = 1_000_000
SHOWN = 40
"""Characters of what a caller wrote that an error repeats."""
Value = str | float | bool
PLACE = re.compile(r"\\\{\{|\{\{(?:[ \t]*([A-Za-z_][A-Za-z0-9_]{0,62})[ \t]*\}\})?")
"""`{{` that is meant as it is, a variable's place, or a `{{` that begins neither."""


def check_template(definition: PromptDefinition) -> None:
    """Raise `PromptRefused` for a place without a variable, braces that open none, or too many places."""
    places = 0
    for number, message in enumerate(definition.messages):
        param = f"messages.{number}.content"
        for found in PLACE.finditer(message.content):
            if found.group().startswith("\\"):
                continue
            name = found.group(1)
            if name is None:
                near = message.content[found.start() : found.start() + SHOWN].split("\n")[0]
                raise PromptRefused(
                    f"The braces at character {found.start() + 1} ('{near}') open no variable. Write {{{{name}}}} with "
                    "letters, digits and _, or \\{{ for two braces that are to stay.",
                    param,
                )
            if name not in definition.variables:
                raise PromptRefused(
                    f"The variable '{name}' is not among the prompt's variables. Declare it in 'variables', or take it "
                    "out of the text.",
                    param,
                )
            places += 1
    if places > MAX_PLACES:
        raise PromptRefused(f"Variables are used in {places:,} places; at most {MAX_PLACES:,} are taken.", "messages")


def fill(name: str, definition: PromptDefinition, given: Mapping[str, Value]) -> list[PromptMessage]:
    """The messages with their variables; raises `VariablesWrong` or `PromptTooLong`."""
    values = {key: _text(value) for key, value in _values(name, definition.variables, given).items()}
    total, filled = 0, []
    for message in definition.messages:
        parts = list(_parts(message.content, values))
        total += sum(map(len, parts))
        if total > MAX_FILLED_CHARS:
            raise PromptTooLong(name, MAX_FILLED_CHARS)
        filled.append(PromptMessage(role=message.role, content="".join(parts)))
    return filled


def places_of(text: str) -> list[str]:
    """The variables that a text has places for, in order, each as often as it is there."""
    return [found[1] for found in PLACE.finditer(text) if found[1]]


def _values(name: str, declared: Mapping[str, PromptVariable], given: Mapping[str, Value]) -> dict[str, Value]:
    wrong = [f"'{each[:SHOWN]}' is not one of them" for each in given if each not in declared]
    values: dict[str, Value] = {}
    for each, variable in declared.items():
        value = given.get(each, variable.default)
        if value is None:
            wrong.append(f"'{each}' is missing")
        elif not variable.takes(value):
            wrong.append(f"'{each}' must be of the type {variable.type}")
        else:
            values[each] = value
    if wrong:
        raise VariablesWrong(name, wrong)
    return values


def _text(value: Value) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _parts(text: str, values: Mapping[str, str]) -> Iterator[str]:
    """What a text is put together from. The texts of values are not looked at, so that they stay what they are."""
    end = 0
    for found in PLACE.finditer(text):
        yield text[end : found.start()]
        name = found.group(1)
        yield "{{" if name is None else values[name]
        end = found.end()
    yield text[end:]
