from __future__ import annotations

from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from libs.extraction.tests.pdf_pages import drawn, page_of, read
from PIL import Image

from extraction.model.failures import ParseFailed
from extraction.pictures.drawing import (
    FILL,
    LINE,
    LONGEST_SIDE,
    MOST_BOXES,
    MOST_PIXELS,
    Picture,
    draw_page,
)

SENTENCE = "Ada counted seven herons."
CONTENT = drawn(lambda canvas: canvas.drawString(60, 700, SENTENCE), lambda canvas: None)


def _file(folder: Path, content: bytes) -> Path:
    path = folder / "file.pdf"
    path.write_bytes(content)
    return path


def _image(png: bytes | None, folder: Path) -> Image.Image:
    assert png is not None
    path = folder / "picture.png"
    path.write_bytes(png)
    with Image.open(path) as image:
        image.load()
        return image


def test_a_page_is_a_picture_with_the_span_marked_and_nothing_else(tmp_path: Path) -> None:
    text = read(CONTENT, tmp_path)
    start = text.text.index("seven")
    path = _file(tmp_path, CONTENT)
    marked = draw_page(path, 1, text.text, [(0, len(text.text))], [(start, start + 5)])
    plain = draw_page(path, 1, "", [], [])
    ((left, top, right, bottom),) = marked.boxes
    assert (marked.pages, plain.boxes) == (2, [])
    with_mark, without = _image(marked.png, tmp_path), _image(plain.png, tmp_path)
    assert with_mark.size == without.size == (1191, 1684)
    assert with_mark.getpixel((left, top)) == FILL
    assert with_mark.getpixel((left, bottom - 1)) == LINE
    for picture in (with_mark, without):
        picture.paste((0, 0, 0), (left, top, right, bottom))
    assert with_mark.tobytes() == without.tobytes()
    darkest = min(without.resize((left + right, 40), box=(0, top, left + right, bottom)).convert("L").tobytes())
    assert darkest < 100, "the words themselves stay readable"


def test_a_page_that_is_not_there_has_no_picture(tmp_path: Path) -> None:
    none = draw_page(_file(tmp_path, CONTENT), 3, "", [], [])
    assert (none.pages, none.png) == (2, None)


@pytest.mark.parametrize("box", [b"[0 0 14400 14400]", b"[0 0 1 14400]", b"[0 0 900000 900000]", b"[0 0 0.001 0.001]"])
def test_no_page_makes_a_picture_larger_than_is_allowed(tmp_path: Path, box: bytes) -> None:
    image = _image(draw_page(_file(tmp_path, page_of(b"", box)), 1, "", [], []).png, tmp_path)
    assert image.width * image.height <= MOST_PIXELS * 1.01
    assert max(image.size) <= LONGEST_SIDE + 1


def test_a_turned_page_is_marked_where_its_words_are_seen(tmp_path: Path) -> None:
    content = page_of(b"BT /F 12 Tf 60 700 Td (turned words) Tj ET", more=b"/Rotate 90")
    text = read(content, tmp_path)
    page = draw_page(_file(tmp_path, content), 1, text.text, [(0, len(text.text))], [(0, 6)])
    image = _image(page.png, tmp_path)
    assert image.width > image.height
    ((left, top, right, bottom),) = page.boxes
    assert image.crop((left, top, right, bottom - 3)).convert("L").getextrema()[0] < 100
    assert bottom - top > right - left


@pytest.mark.parametrize("content", [b"%PDF-1.7 nothing", b"no PDF"])
def test_what_is_no_pdf_fails_with_its_reason(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ParseFailed) as failure:
        draw_page(_file(tmp_path, content), 1, "", [], [])
    assert failure.value.code == "malformed"


def test_what_several_spans_name_is_marked_once(tmp_path: Path) -> None:
    text = read(CONTENT, tmp_path)
    start = text.text.index("seven")
    path, blocks = _file(tmp_path, CONTENT), [(0, len(text.text))]
    spans = [(start, start + 5), (start - 3, start + 3), (start + 2, start + 12)]
    once = draw_page(path, 1, text.text, blocks, [(start - 3, start + 12)])
    often = draw_page(path, 1, text.text, blocks, spans)
    assert (often.png, often.boxes) == (once.png, once.boxes)


def test_boxes_that_overlap_are_coloured_once_and_lines_lie_above(tmp_path: Path) -> None:
    page = pypdfium2.PdfDocument(_file(tmp_path, CONTENT))[1]
    picture = Picture(page)
    picture.mark([(10, 10, 50, 40), (30, 20, 70, 60)])
    image = _image(picture.png(), tmp_path)
    assert {image.getpixel(at) for at in ((12, 12), (40, 30), (60, 50))} == {FILL}
    assert image.getpixel((40, 39)) == LINE


def test_text_beside_the_page_has_no_place_and_boxes_are_counted(tmp_path: Path) -> None:
    words = " ".join(f"w{number}" for number in range(150))

    def write(canvas: Any) -> None:
        canvas.drawString(2000, 700, "unseen")
        for at, word in enumerate(words.split()):
            canvas.drawString(40 + 50 * (at % 10), 750 - 20 * (at // 10), word)

    content = drawn(write, lambda canvas: None)
    path, text = _file(tmp_path, content), read(content, tmp_path).text
    blocks = [(0, len(text))]
    if "unseen" in text:
        start = text.index("unseen")
        assert draw_page(path, 1, text, blocks, [(start, start + 6)]).boxes == []
    spans = [(text.index(f"w{number}"), text.index(f"w{number}") + 3) for number in range(10, 150)]
    assert 0 < len(draw_page(path, 1, text, blocks, spans).boxes) <= MOST_BOXES
