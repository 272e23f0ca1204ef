from __future__ import annotations

import gzip
import io
import zlib

import pytest

from ingest.errors import FarServerFailed, FetchTooLarge
from ingest.fetch.decompression import Sink

TEXT = b"The word and the price. " * 1000


def through(body: bytes, encoding: str, limit: int = 1_000_000, pieces: int = 100) -> bytes:
    into = io.BytesIO()
    sink = Sink(into, limit, encoding)
    for start in range(0, len(body), pieces):
        sink.write(body[start : start + pieces])
    sink.end()
    return into.getvalue()


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (TEXT, ""),
        (TEXT, "identity"),
        (gzip.compress(TEXT), "gzip"),
        (gzip.compress(TEXT), "X-GZIP"),
        (zlib.compress(TEXT), "deflate"),
        (gzip.compress(TEXT[:5000]) + gzip.compress(TEXT[5000:]), "gzip"),
        (gzip.compress(TEXT) + b"\0" * 300, "gzip"),
    ],
    ids=["none", "identity", "gzip", "in capitals", "deflate", "two members", "padded"],
)
def test_a_body_is_what_it_was_before_compression(body: bytes, encoding: str) -> None:
    assert through(body, encoding) == TEXT
    assert through(body, encoding, pieces=len(body)) == TEXT


def test_a_bomb_is_stopped_at_the_limit() -> None:
    into = io.BytesIO()
    sink = Sink(into, 300_000, "gzip")
    with pytest.raises(FetchTooLarge):
        sink.write(gzip.compress(b"\0" * 100_000_000))
    assert len(into.getvalue()) <= 300_000


def test_a_body_is_bounded_as_sent_too() -> None:
    with pytest.raises(FetchTooLarge):
        through(TEXT, "", limit=len(TEXT) - 1)
    assert through(TEXT, "", limit=len(TEXT)) == TEXT


@pytest.mark.parametrize(
    ("body", "encoding"),
    [(gzip.compress(TEXT)[:-20], "gzip"), (b"not compressed", "gzip"), (TEXT, "br"), (TEXT, "gzip, gzip")],
    ids=["cut off", "not compressed", "unknown", "twice"],
)
def test_a_body_that_cannot_be_decompressed_is_the_far_servers_failure(body: bytes, encoding: str) -> None:
    with pytest.raises(FarServerFailed):
        through(body, encoding)
