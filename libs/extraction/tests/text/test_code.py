from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from libs.extraction.tests.cases import failure, outline, read

from extraction.formats.catalog import CODE
from extraction.model.document import clean

BODY = "    return " + " + ".join(["value"] * 40)


def test_definitions_are_blocks_and_what_is_indented_is_never_parted_from_them() -> None:
    source = (
        f'"""Doc."""\n\nimport os\n\n\ndef first(value):\n{BODY}\n\n    # still inside\n\n\nclass Second:\n{BODY}\n'
    )
    document = read(source, CODE)
    assert outline(document) == [
        ("code", '"""Doc."""\n\nimport os'),
        ("code", f"def first(value):\n{BODY}\n\n    # still inside"),
        ("code", f"class Second:\n{BODY}"),
    ]


def test_a_closing_brace_stays_with_what_it_closes() -> None:
    source = "function a() {\n" + "  call();\n" * 40 + "\n\n}\n\nfunction b() {}\n"
    assert [text.splitlines()[-1] for _, text in outline(read(source, CODE))] == ["}", "function b() {}"]


@given(st.text(st.sampled_from("ab{} \n\t"), max_size=300))
def test_only_blank_lines_are_lost(source: str) -> None:
    lines = [line for line in clean(source).split("\n") if line.strip()]
    if lines:
        assert [line for line in read(source, CODE).text.split("\n") if line.strip()] == lines
    else:
        assert failure(source, CODE).code == "no_text"
