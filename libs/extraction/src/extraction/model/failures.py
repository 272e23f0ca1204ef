"""Why a document can't be read. Each code ends its own job and harms nothing else."""

from __future__ import annotations

import errno
from typing import Literal

FailureCode = Literal[
    "malformed", "encrypted", "no_text", "timeout", "too_many_pages", "too_large", "parser_crashed", "unsupported"
]


NO_ROOM = errno.EFBIG
"""A child has written as much as it may."""
MACHINE_TROUBLE = frozenset(
    (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM)
)
"""What a full disk and its like say: no document is to be blamed for it."""


def is_damage(error: Exception) -> bool:
    """Whether an error met while unpacking is the document's, and not the machine's or our limit's."""
    return not isinstance(error, OSError) or (error.errno not in MACHINE_TROUBLE and error.errno != NO_ROOM)


class ParseFailed(Exception):
    """The document can't be turned into text; `message` says what to do."""

    def __init__(self, code: FailureCode, message: str) -> None:
        super().__init__(message)
        self.code: FailureCode = code
        self.message = message


def malformed(kind: str) -> ParseFailed:
    """The bytes are not what they claim to be, or are damaged."""
    return ParseFailed("malformed", f"This is not a readable {kind}: it is damaged or incomplete. Upload a sound copy.")


def encrypted(kind: str) -> ParseFailed:
    """A password is needed."""
    return ParseFailed("encrypted", f"This {kind} is protected by a password. Upload a copy without one.")


def no_text() -> ParseFailed:
    """There is nothing to search in."""
    return ParseFailed(
        "no_text", "No text was found in this document. If it is a scan, run text recognition (OCR) on it first."
    )


def too_many_pages(pages: int, limit: int) -> ParseFailed:
    """More pages than the operator allows."""
    return ParseFailed("too_many_pages", f"This document has {pages:,} pages; at most {limit:,} are read. Split it.")


def too_large() -> ParseFailed:
    """Reading it takes more memory or makes more text than the operator allows."""
    return ParseFailed("too_large", "Reading this document takes more memory or room than is allowed. Split it.")


class LeftTooMuch(ParseFailed):
    """A worker left more of something than is taken from it."""

    def __init__(self, what: str, most: int) -> None:
        super().__init__(
            "too_large",
            f"Reading this document left more than {most:,} bytes of {what}, which is more than is taken over. Split "
            "it, or save it anew in another format.",
        )
        self.what = what
        self.most = most


def timed_out(seconds: float) -> ParseFailed:
    """Reading it takes too long."""
    return ParseFailed("timeout", f"Reading this document took longer than {seconds:g} s. Split or simplify it.")


def chunking_timed_out(seconds: float) -> ParseFailed:
    """Cutting it into chunks takes too long."""
    message = f"Cutting this document into chunks took longer than {seconds:g} s (INGEST_CUT_SECONDS). Split it."
    return ParseFailed("timeout", message)


def crashed() -> ParseFailed:
    """The parser died of it."""
    return ParseFailed(
        "parser_crashed", "The parser crashed on this document. Print it to a new PDF, or save it anew, and try again."
    )
