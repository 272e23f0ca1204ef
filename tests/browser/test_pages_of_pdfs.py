"""Citations of PDFs: the page beside the answer, with the cited words marked."""

from __future__ import annotations

import json
from typing import Any

from tests.browser.visitor import ask, choose, marked_is_the_api_s
from tests.support.home.stack import RunningHome

from contracts.retrieval.collections import Collection

PDF_QUESTION = "How many readings were permanently lost in the November 2024 outage?"


def test_a_citation_of_a_pdf_opens_its_page_with_the_cited_words_marked(
    signed_in: Any, home: RunningHome, handbook: Collection
) -> None:
    page = signed_in
    page.reload()
    choose(page, "handbook")
    ask(page, PDF_QUESTION)
    citation = next(one for one in home.client.ask("handbook", PDF_QUESTION).citations if one.page)
    page.locator(".answer .marker").get_by_text(citation.marker.strip("[]"), exact=True).first.click()
    sheet = page.locator("aside canvas[data-boxes]")
    sheet.wait_for()
    assert citation.quote in sheet.get_attribute("aria-label")
    boxes = json.loads(sheet.get_attribute("data-boxes"))
    colour = "([x, y]) => [...document.querySelector('aside canvas').getContext('2d').getImageData(x, y, 1, 1).data]"
    corners = [page.evaluate(colour, [left, top]) for left, top, _, _ in boxes]
    assert [255, 224, 138, 255] in corners, corners  # the first are on a dark ground
    page.get_by_role("button", name="Text").click()
    marked_is_the_api_s(page, home, "handbook", citation.document_id, citation.revision)
    page.get_by_role("button", name="Pages").click()
    sheet.wait_for()
