from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from libs.extraction.tests.cases import failure, outline, read

from extraction.formats.catalog import JSON, JSONL
from extraction.model.document import clean

WORDS = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=60,
)


def test_records_are_paragraphs_and_paths_lead_to_values() -> None:
    value = [{"id": 7, "address": {"city": "Oslo", "lines": ["a", "b"]}, "none": None}, {"id": 8, "tags": []}]
    assert outline(read(json.dumps(value), JSON)) == [
        ("paragraph", "id: 7\naddress.city: Oslo\naddress.lines: a, b\nnone: null"),
        ("paragraph", "id: 8\ntags: []"),
    ]


def test_a_large_object_is_parted_by_its_keys() -> None:
    value = {"name": "Plover", "users": [{"n": number} for number in range(60)], "site": {"url": "x"}}
    document = read(json.dumps(value), JSON)
    assert outline(document)[:3] == [("paragraph", "name: Plover"), ("heading", "users"), ("paragraph", "n: 0")]
    assert outline(document)[-2:] == [("heading", "site"), ("paragraph", "url: x")]
    assert document.blocks[-1].heading_path == ("site",)


def test_doubled_keys_long_numbers_and_spelled_out_numbers_stay() -> None:
    text = read('{"a": 1.10, "a": 2, "b": ' + "9" * 5000 + ', "c": 1e999, "d": NaN}', JSON).text
    assert text.startswith("a: 1.10\na: 2\nb: 999")
    assert text.endswith("c: 1e999\nd: NaN")


def test_lines_are_records_and_what_is_no_json_is_the_text_that_it_is() -> None:
    lines = '{"a": 1}\n\nnot json\n{"a": {"b": 2}}\n'
    expected = [("paragraph", "a: 1"), ("paragraph", "not json"), ("paragraph", "a.b: 2")]
    assert outline(read(lines, JSONL)) == expected
    assert outline(read(lines, JSON)) == expected
    assert outline(read('{\n  // a comment\n  "a": 1,\n}', JSON)) == [("code", '{\n  // a comment\n  "a": 1,\n}')]
    assert failure("[" * 200_000, JSON).code == "too_large"


@given(VALUES)
def test_no_key_and_no_value_is_lost(value: Any) -> None:
    text = read(json.dumps({"x": value}), JSON).text

    def check(part: Any) -> None:
        if isinstance(part, dict):
            for key, inner in part.items():
                assert " ".join(clean(key).split()) in " ".join(text.split())
                check(inner)
        elif isinstance(part, list):
            for inner in part:
                check(inner)
        else:
            shown = part if isinstance(part, str) else json.dumps(part)
            assert " ".join(clean(shown).split()) in " ".join(text.split())

    check(value)
