"""Why there is no picture of a page."""

from __future__ import annotations

from extraction.model.failures import LeftTooMuch, ParseFailed
from servicekit.core.errors import InvalidRequest, NotFound, NotReady, QueueFull, Unprocessable, UpstreamTimeout


class NotAPdf(InvalidRequest):
    """Only pages of PDFs are drawn."""

    code = "not_a_pdf"

    def __init__(self, document_id: str, media_type: str) -> None:
        super().__init__(
            f"Document '{document_id}' is {media_type}, and only pages of PDFs have pictures. "
            "GET …/text has its text, GET …/content the file.",
            param="document_id",
        )


class PageNotFound(NotFound):
    """The document has fewer pages."""

    code = "page_not_found"

    def __init__(self, document_id: str, number: int, pages: int) -> None:
        has = f"has {pages:,} pages" if pages != 1 else "has one page"
        super().__init__(f"Document '{document_id}' {has}, so there is no page {number:,}.", param="n")


class SpansInvalid(Unprocessable):
    """Spans that are none."""

    code = "spans_invalid"

    def __init__(self, most: int) -> None:
        super().__init__(
            f"spans are pairs `start-end` of characters of the text, end behind start, at most {most}, for instance "
            "120-180,400-420. Citations and hits have them as `start` and `end`.",
            param="spans",
        )


class NoPlaceOnPage(InvalidRequest):
    """Nothing of the spans stands on the page as text."""

    code = "no_place_on_page"

    def __init__(self, number: int) -> None:
        super().__init__(
            f"None of these characters stands on page {number:,} as text: they are another page's or revision's, were "
            "recognised in a scan, or filled into a form. Leave spans out for the page without marks; GET …/text has "
            "the text.",
            param="spans",
        )


class PageNotDrawable(InvalidRequest):
    """The page can't be drawn within the bounds."""

    code = "page_not_drawable"

    def __init__(self, number: int, failure: ParseFailed, seconds: float) -> None:
        whys = {
            "timeout": f"fetching and drawing it takes longer than {seconds:g} s (INGEST_PICTURE_SECONDS)",
            "too_large": "it takes more memory than is allowed (INGEST_PICTURE_MEMORY_BYTES)",
            "encrypted": "the file is protected by a password",
            "malformed": "the file is damaged",
        }
        why = whys.get(failure.code, "it makes the drawing process crash")
        if isinstance(failure, LeftTooMuch):
            why = f"drawing it left more than {failure.most:,} bytes of {failure.what}"
        super().__init__(
            f"Page {number:,} can't be drawn: {why}. "
            "GET …/text has its text, if it was read, and GET …/content the file.",
            param="n",
        )


class PicturesBusy(QueueFull):
    """As many pages are being drawn, or wait, as may at once."""

    code = "pictures_busy"

    def __init__(self) -> None:
        super().__init__("Too many pages are being drawn now. Try again in a moment.", retry_after=2)


class OriginalTooSlow(UpstreamTimeout):
    """The bytes of the document did not come in time from where they are stored."""

    code = "original_too_slow"

    def __init__(self, number: int, seconds: float) -> None:
        super().__init__(
            f"Page {number:,} was not drawn: fetching the file from the blob store took most of the {seconds:g} s that "
            "a picture may take (INGEST_PICTURE_SECONDS). Try again; if it stays so, the operator should look at the "
            "blob store (INGEST_BLOBS_URL), or allow more time. GET …/text has the page's text.",
            retry_after=5,
        )


class PictureBrokenOff(NotReady):
    """The process that draws was ended from outside."""

    code = "picture_broken_off"

    def __init__(self) -> None:
        super().__init__("Drawing was broken off. Try again.", retry_after=1)
