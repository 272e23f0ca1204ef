"""Input that nobody should send: texts, numbers and JSON values, as named examples and as hypothesis strategies.

`as_json` writes them as a careless client would: NaN and Infinity bare, lone surrogates escaped.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from hypothesis import strategies as st

TEXTS: dict[str, str] = {
    "empty": "",
    "blank": " \t\n\u3000",
    "emoji": "🙂👩‍👩‍👧‍👦🏴󠁧󠁢󠁳󠁣󠁴󠁿",
    "right to left": "\u202eمرحبا بالعالم שלום",
    "combining": "a" + "\u0301" * 500,
    "nul": "a\x00b",
    "control": "\x01\x1b[31m\x7f\x85",
    "lone surrogate": "a\ud800b",
    "noncharacter": "\ufffe\uffff\U0010ffff",
    "quotes": "'; DROP TABLE collections; -- \" ` \\ %s {0} ${x}",
    "markup": "<script>alert(1)</script><!--",
    "path": "../../etc/passwd",
    "one long word": "x" * 5_000,
}
NUMBERS: tuple[float, ...] = (
    float("nan"), float("inf"), float("-inf"), -0.0, 5e-324, 1.8e308 / 2, 2**53 + 1, 2**63, -(2**63) - 1, 2**64, 10**30,
    10**400,
)  # fmt: skip
NESTED = json.loads("[" * 200 + "]" * 200)

texts = st.sampled_from(sorted(TEXTS.values())) | st.text(st.characters(exclude_categories=()), max_size=20)
numbers = st.sampled_from(NUMBERS) | st.integers() | st.floats()
scalars = st.none() | st.booleans() | numbers | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=12
) | st.just(NESTED)


def as_json(value: Any) -> bytes:
    """The value on the wire, whatever JSON forbids included."""
    return json.dumps(value).encode()


def cursor(*values: Any) -> str:
    """A forged cursor."""
    return base64.urlsafe_b64encode(as_json(list(values))).decode().rstrip("=")


CURSORS: dict[str, str] = {
    "no cursor at all": "nonsense",
    "not ascii": "é🙂",
    "lone surrogate": cursor("\ud800"),
    "nul": cursor("a\x00b"),
    "too many": cursor("a", "b", "c", "d"),
    "huge number": cursor(2**70),
    "huge numbers": cursor(2**70, -(2**70)),
    "negative": cursor(-1, -1),
    "number and text": cursor(2**70, "x"),
    "text and number": cursor("x", 2**70),
    "infinite": cursor(float("inf"), "x"),
    "nested": base64.urlsafe_b64encode(b"[" * 20_000).decode().rstrip("="),
    "long": "a" * 30_000,
}
