"""Pages of PDFs as pictures: what is marked in one is what the API says that the span says."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx2
import pypdfium2
import pytest
from tests.support.home.stack import RunningHome

from contracts.retrieval.collections import Collection
from groundwork.client import ApiError

PIXELS_A_POINT = 2.0


def _letters(text: str) -> str:
    """What of a text does not depend on where its lines end."""
    return re.sub(r"[\s|\ufffe-]", "", text)


def _in_boxes(page: Any, boxes: list[list[int]]) -> str:
    """The characters whose middle is in these boxes of the picture, by PDFium's own account, box by box."""
    own, height, found = page.get_textpage(), page.get_height(), ""
    middles = []
    for number, letter in enumerate(own.get_text_range()):
        left, bottom, right, top = own.get_charbox(number, loose=True)
        middles.append((letter, (left + right) / 2 * PIXELS_A_POINT, (height - (bottom + top) / 2) * PIXELS_A_POINT))
    for left, top, right, bottom in boxes:
        found += "".join(letter for letter, x, y in middles if left < x < right and top < y < bottom)
    return found


def test_every_sentence_of_every_pdf_is_marked_by_exactly_its_own_characters(
    home: RunningHome, http: httpx2.Client, handbook: Collection
) -> None:
    client, marked = home.client, 0
    for document in client.documents.list("handbook"):
        if document.media_type != "application/pdf":
            continue
        pdf = pypdfium2.PdfDocument(client.documents.content("handbook", document.id))
        text = client.documents.text("handbook", document.id)
        for chunk in client.documents.chunks("handbook", document.id):
            for sentence in re.finditer(r"[^\s|][^\n|]{20,200}", chunk.text):
                start, end = chunk.start + sentence.start(), chunk.start + sentence.end()
                path = f"/v1/collections/handbook/documents/{document.id}/pages/{chunk.page}.png"
                picture = http.get(path, params={"spans": f"{start}-{end}", "revision": chunk.revision})
                if picture.status_code == 400:  # a chunk may go on on the next page
                    assert picture.json()["error"]["code"] == "no_place_on_page"
                    continue
                assert chunk.page is not None
                boxes = json.loads(picture.headers["X-Groundwork-Boxes"])
                assert _letters(_in_boxes(pdf[chunk.page - 1], boxes)) == _letters(text[start:end])
                marked += 1
    assert marked >= 10


def test_the_client_gets_a_page_and_is_told_why_there_is_none(home: RunningHome, handbook: Collection) -> None:
    client = home.client
    documents = {document.media_type: document.id for document in client.documents.list("handbook")}
    assert client.documents.page_picture("handbook", documents["application/pdf"], 1).startswith(b"\x89PNG")
    with pytest.raises(ApiError, match="only pages of PDFs"):
        client.documents.page_picture("handbook", documents["text/markdown"], 1)
    with pytest.raises(ApiError, match="there is no page 900"):
        client.documents.page_picture("handbook", documents["application/pdf"], 900)
