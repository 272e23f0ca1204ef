"""What an answer may bring along that a client keeps: its citations and its report."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence

from pydantic import JsonValue

MAX_EXTRAS_BYTES = 128 * 1024
"""Of a message's `annotations` and `groundwork` together, as JSON in UTF-8."""
_IGNORED = re.compile(r"[\x00-\x20]")
"""What browsers leave out of an address before they look at its scheme."""
_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*):")
_LINKED = frozenset(("url", "href"))
_SCRIPTS = frozenset(("javascript", "vbscript", "data"))


def check_links(value: JsonValue) -> None:
    """Raises `ValueError` for a `url` that is neither http(s) nor relative, and a `source` that a browser would run."""
    for name, address in _texts(value, ""):
        begins = _SCHEME.match(_IGNORED.sub("", address))
        scheme = begins[1].lower() if begins else "http"
        if name in _LINKED and scheme not in ("http", "https"):
            raise ValueError(f"`{name}` must be an http(s) or a relative address, not {scheme}:")
        if name == "source" and scheme in _SCRIPTS:
            raise ValueError(f"`source` must be a name or an address, not {scheme}:")


def check_size(*values: Sequence[JsonValue] | Mapping[str, JsonValue]) -> None:
    """Raises `ValueError` for more than `MAX_EXTRAS_BYTES` together."""
    size = sum(len(json.dumps(value, ensure_ascii=False).encode()) for value in values)
    if size > MAX_EXTRAS_BYTES:
        raise ValueError(
            f"`annotations` and `groundwork` are {size:,} bytes of JSON together; at most {MAX_EXTRAS_BYTES:,} are kept"
            ". Leave out what is not shown again, for instance `sources`"
        )


def _texts(value: JsonValue, name: str) -> Iterator[tuple[str, str]]:
    """All texts in a value, with the names of their fields."""
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, name)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, key.lower())
