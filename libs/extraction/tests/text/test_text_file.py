from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from extraction.model.document import Builder, Extracted, Resume
from extraction.model.failures import ParseFailed
from extraction.model.limits import Limits
from extraction.text.text_file import text_file

LIMITS = Limits(max_pages=1, max_text_chars=10)


def paragraph(text: str) -> Extracted:
    builder = Builder()
    builder.block("paragraph", text)
    return builder.finish()


@pytest.fixture
def written(tmp_path: Path) -> Callable[[bytes], Path]:
    def write(content: bytes) -> Path:
        path = tmp_path / "document"
        path.write_bytes(content)
        return path

    return write


@pytest.mark.parametrize(
    "content", ["grüße".encode(), "grüße".encode("utf-16"), "grüße".encode("utf-8-sig"), "grüße".encode("utf-16-le")]
)
def test_a_parser_of_texts_sees_no_bytes(written: Callable[[bytes], Path], content: bytes) -> None:
    assert [part.text for part in text_file(paragraph)(written(content), LIMITS)] == ["grüße"]


def test_only_markup_says_itself_how_it_is_to_be_read(written: Callable[[bytes], Path]) -> None:
    page = written(b'<meta charset="koi8-r">' + "привет".encode("koi8-r"))
    roomy = Limits(max_pages=1, max_text_chars=1000)
    (as_html,) = text_file(paragraph, html=True)(page, roomy)
    assert as_html.text.endswith("привет")


def test_text_that_can_not_fit_is_refused_before_a_parser_has_seen_it(written: Callable[[bytes], Path]) -> None:
    def untouched(text: str) -> Extracted:
        raise AssertionError("minutes would be spent here")

    with pytest.raises(ParseFailed) as failure:
        list(text_file(untouched)(written(b"x" * 21), LIMITS))
    assert failure.value.code == "too_large"


def test_white_space_and_markup_may_be_more_than_the_text_that_is_in_them(written: Callable[[bytes], Path]) -> None:
    assert list(text_file(paragraph)(written(b" " * 10 + b"x" * 10), LIMITS)) != []
    assert list(text_file(paragraph, html=True)(written(b"<" * 1000), LIMITS)) != []


def test_a_file_that_was_read_before_is_read_on_from_its_next_part(written: Callable[[bytes], Path]) -> None:
    assert list(text_file(paragraph)(written(b"words"), LIMITS, Resume(parts=1))) == []
