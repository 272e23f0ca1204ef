"""Addresses of citations: kept as paths, and sent as links to the gateway as this caller reaches it.

An answer may be given again to another caller (cache, records, threads, runs), so what is kept names no host.
"""

from __future__ import annotations

import re

from starlette.types import Scope

from servicekit.web.headers import header_of

_HOST = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9._-]{0,252}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~-]{1,100}){0,10}")
_BEGINS = b"/v1/collections/"
_DOCUMENT = rb'\\?/v1\\?/collections\\?/[^"\\/?#]{1,400}\\?/documents\\?/[^"\\/?#]{1,800}\\?/content"'
_RELATIVE = re.compile(rb'(?<!\\)("url"\s{0,9}:\s{0,9}")(?=' + _DOCUMENT + rb")")
_ABSOLUTE = re.compile(rb'(?<!\\)("url"\s{0,9}:\s{0,9}")([^"]{1,1200}?)(?=' + _DOCUMENT + rb")")
"""A field of JSON: within a text the quotation marks have backslashes before them."""


def address_of(scope: Scope) -> str:
    """Where this caller reaches the gateway: `https://docs.example.org/rag`. Empty where no host can be told.

    `TrustedProxies` has left the headers of proxies that are believed, and has set the scheme.
    """
    host = _first(scope, b"x-forwarded-host") or (header_of(scope, b"host") or "").strip()
    prefix = _first(scope, b"x-forwarded-prefix").rstrip("/")
    if _HOST.fullmatch(host) is None or _PREFIX.fullmatch(prefix) is None:
        return ""
    return f"{scope.get('scheme', 'http')}://{host}{prefix}"


class CitationLinks:
    """The links of one caller's answers, in JSON as bytes."""

    def __init__(self, scope: Scope) -> None:
        self._address = address_of(scope).encode()

    def absolute(self, data: bytes) -> bytes:
        """Whole events or a whole body, with the gateway's address before the path of each cited document."""
        if not self._address or _BEGINS not in data:
            return data
        return _RELATIVE.sub(lambda found: found[1] + self._address, data)

    def relative(self, body: bytes) -> bytes:
        """A body that is kept: links to the gateway as this caller reaches it are paths again."""
        if not self._address or b"://" not in body.replace(b"\\/", b"/"):
            return body
        return _ABSOLUTE.sub(lambda found: found[1] if self._is_own(found[2]) else found[0], body)

    def _is_own(self, address: bytes) -> bool:
        return address.replace(b"\\/", b"/") == self._address


def _first(scope: Scope, name: bytes) -> str:
    """Of a header to which each proxy adds, what the outermost says."""
    return (header_of(scope, name) or "").partition(",")[0].strip()
