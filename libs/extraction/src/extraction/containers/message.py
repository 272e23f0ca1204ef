"""E-mail messages: who wrote what to whom and when, the text, then each attachment under its name."""

from __future__ import annotations

import email
import email.header
import io
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from email.message import Message
from pathlib import Path

from extraction.containers.members import Allowance, Place, named, read_member
from extraction.model.document import Builder, Extracted
from extraction.model.failures import ParseFailed, encrypted, malformed, too_large
from extraction.model.limits import Limits
from extraction.model.parser import whole_file
from extraction.text import charsets as decoding
from extraction.text import html, plain

KIND = "e-mail message"
HEADERS = ("Subject", "From", "To", "Cc", "Date")
MAX_PARTS = 2_000
MAX_NESTING = 30
MAX_TITLE = 500
_LOCKED = ("multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime")


def parse(path: Path, limits: Limits) -> Extracted:
    """The message with its attachments; its subject is the title."""
    builder, allowance = Builder(), Allowance(limits)
    subject = read_into(Place(builder, allowance, messages=1), path)
    return replace(builder.finish(None, allowance.pages or None), title=subject)


read = whole_file(parse)


def read_into(place: Place, path: Path) -> str | None:
    """Put a message in and say what it is about."""
    try:
        message = email.message_from_bytes(_narrow(path.read_bytes()))
        if not message.keys():
            raise malformed(KIND)
        _message(place, message)
        return _header(message, "Subject")[:MAX_TITLE] or None
    except RecursionError:
        raise too_large() from None


def _narrow(content: bytes) -> bytes:
    """A message that was saved as UTF-16 or UTF-32, as the bytes that it was before."""
    return decoding.decode(content).encode("utf-8", "replace") if decoding.is_wide(content) else content


@dataclass
class _Found:
    """A message's leaves."""

    texts: list[Message] = field(default_factory=list)
    attached: list[Message] = field(default_factory=list)


def _message(place: Place, message: Message) -> None:
    found = _Found()
    _sort(message, found, 0)
    if len(found.texts) + len(found.attached) > MAX_PARTS:
        raise too_large()
    headers = ((name, _header(message, name)) for name in HEADERS)
    place.builder.block("paragraph", "\n".join(f"{name}: {text}" for name, text in headers if text))
    for part in found.texts:
        _text(place, part)
    for number, part in enumerate(found.attached, 1):
        _attachment(place, part, number)


def _sort(part: Message, found: _Found, depth: int) -> None:
    """Of alternatives the plain text, if it says anything, else the last that can be read."""
    kind = part.get_content_type()
    if depth > MAX_NESTING:
        raise too_large()
    if kind in _LOCKED and part.get_param("smime-type") != "signed-data":
        raise encrypted(KIND)
    if kind == "multipart/alternative" and part.is_multipart():
        _sort(_best(list(_children(part))), found, depth + 1)
    elif part.is_multipart() and part.get_content_maintype() == "multipart":
        for child in _children(part):
            _sort(child, found, depth + 1)
    elif kind.startswith("text/") and not part.get_filename() and part.get_content_disposition() != "attachment":
        found.texts.append(part)
    else:
        found.attached.append(part)


def _best(alternatives: list[Message]) -> Message:
    plain_ones = [one for one in alternatives if one.get_content_type() == "text/plain" and _decoded(one).strip()]
    readable = [one for one in alternatives if one.get_content_maintype() in ("text", "multipart")]
    return (plain_ones[:1] or readable[-1:] or alternatives[-1:])[0]


def _text(place: Place, part: Message) -> None:
    text = _decoded(part)
    document = html.parse(text) if part.get_content_type() == "text/html" else plain.parse(text)
    place.builder.include(document, place.level)


def _attachment(place: Place, part: Message, number: int) -> None:
    name = _words(part.get_filename() or "") or f"attachment {number}"
    if part.get_content_type() == "message/rfc822" and part.is_multipart():
        for inner in _children(part):
            title = _words(part.get_filename() or "") or _header(inner, "Subject") or name
            try:
                place.allowance.take_member()
                _message(place.within(title, "messages"), inner)
            except ParseFailed as failure:
                raise named(failure, title) from None
        return
    if part.is_multipart():  # a report on delivery: header fields in groups
        text = "\n\n".join(str(inner) for inner in _children(part))
        read_member(place, name, io.BytesIO(text.encode("utf-8", "replace")), "text/plain")
        return
    read_member(place, name, io.BytesIO(_bytes(part)), part.get_content_type())


def _children(part: Message) -> Iterator[Message]:
    payload = part.get_payload()
    return (child for child in payload if isinstance(child, Message)) if isinstance(payload, list) else iter(())


def _bytes(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _decoded(part: Message) -> str:
    """A part's text by the charset that it names, or by what the bytes look like."""
    content = _bytes(part)
    charset = part.get_content_charset()
    if charset and charset not in ("us-ascii", "utf-8"):
        try:
            return content.decode(charset, "replace")
        except (LookupError, ValueError):
            pass
    return decoding.decode(content, html=part.get_content_type() == "text/html")


def _header(message: Message, name: str) -> str:
    """A header field in words; all of them, if a message has it more than once."""
    return ", ".join(_words(str(value)) for value in message.get_all(name, []))


def _words(value: str) -> str:
    """A header's encoded words decoded; what can't be decoded stays as it is."""
    try:
        text = str(email.header.make_header(email.header.decode_header(value)))
    except (LookupError, ValueError, email.errors.HeaderParseError):
        text = value
    return " ".join(text.split())
