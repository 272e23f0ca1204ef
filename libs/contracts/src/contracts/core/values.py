"""The caller's own values, in metadata and in filters: only what every store keeps exactly and finds again.

JSON parsers let through what is no text (half a surrogate pair) and no number (NaN, Infinity); databases and the
vector engines fail over it, or over very deep nesting, long after the document was taken.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, JsonValue

MAX_DEPTH = 32
"""Objects and arrays inside each other. An engine's reader gives up at 128, its own levels included."""
_WHOLE = range(-(2**63), 2**63)


def check_number(value: float) -> None:
    """Raise `ValueError` for a number that JSON does not know or that 64 bits don't hold."""
    if isinstance(value, int):
        if value not in _WHOLE:
            raise ValueError("a whole number is beyond 64 bits; send it as text")
    elif not math.isfinite(value):
        raise ValueError("NaN and Infinity are not JSON")


def check_text(value: str) -> None:
    """Raise `ValueError` for a text with half a surrogate pair, which no encoding can write."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("a text has half a surrogate pair in it (\\ud800 to \\udfff); send whole characters") from None


def _whole(value: str) -> str:
    check_text(value)
    return value


Text = Annotated[str, AfterValidator(_whole)]
"""A caller's text that can be written in UTF-8: tokenizers and encoders fail over half a surrogate pair."""


def check_value(value: JsonValue, depth: int = MAX_DEPTH) -> None:
    """Raise `ValueError` for a JSON value that can't be kept."""
    if isinstance(value, str):
        check_text(value)
    elif isinstance(value, int | float):
        check_number(value)
    elif value is not None:
        if depth == 0:
            raise ValueError(f"it is nested deeper than {MAX_DEPTH} levels")
        if isinstance(value, Mapping):
            for key in value:
                check_text(key)
        for inner in value.values() if isinstance(value, Mapping) else value:
            check_value(inner, depth - 1)


MAX_NESTING = 100
"""Objects and arrays inside each other in a field that we pass on. Writers of JSON give up at about 250."""


def _writable(value: Any) -> Any:
    """Refuse what can't be written as JSON: NaN, Infinity, half a surrogate pair, however deep inside; and what is
    nested too deeply.
    """
    rest = [(value, 0)]
    while rest:
        inner, depth = rest.pop()
        if isinstance(inner, str):
            check_text(inner)
        elif isinstance(inner, float):
            check_number(inner)
        elif isinstance(inner, dict | list):
            if depth == MAX_NESTING:
                raise ValueError(f"it is nested deeper than {MAX_NESTING} levels")
            if isinstance(inner, dict):
                rest.extend((key, depth) for key in inner)
            rest.extend((each, depth + 1) for each in (inner.values() if isinstance(inner, dict) else inner))
    return value


Passed = Annotated[Any, AfterValidator(_writable)]
"""A field that we do not know: it goes to the upstream model as it came."""


def unlike(*known: str) -> AfterValidator:
    """Checks the name of an unknown field beside those `known`. Some servers take `Model` for `model`, the last one
    counting: what they would read must be what we have checked, so that a name that differs only in case is refused.
    """
    folded = frozenset(known)

    def check(name: str) -> str:
        if name not in folded and name.casefold() in folded:
            raise ValueError(f"write '{name.casefold()}' in lower case")
        return name

    return AfterValidator(check)
