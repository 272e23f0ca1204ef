from __future__ import annotations

from pathlib import Path

from libs.extraction.tests.pdf_pages import drawn, page_of, read


def test_uncommon_characters_stay_as_they_are(tmp_path: Path) -> None:
    text = "Größe: 5 µm ± 2 % – “naïve” café, § 7, ½ Ω?"
    known = text.replace("Ω", "")
    assert read(drawn(lambda canvas: canvas.drawString(60, 700, known)), tmp_path).text == known


def test_text_from_right_to_left_is_in_the_order_of_its_letters(tmp_path: Path) -> None:
    words = "שלום עולם"
    letters = "".join(sorted(set(words) - {" "}))
    seen = "".join(" " if letter == " " else chr(65 + letters.index(letter)) for letter in reversed(words))
    content = b"BT /F 12 Tf 300 700 Td (%s) Tj ET" % seen.encode()
    assert read(page_of(content, letters=letters), tmp_path).text == words
