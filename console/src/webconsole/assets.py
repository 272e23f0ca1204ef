"""The console's files as a server sends them: with their types, their sums, and compressed once."""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "static"
INDEX, VERSION = "index.html", "version"
UNNAMED = b'name="version" content=""'
"""Where the page gets its console's version."""
NAMED = re.compile(rb'(href|src)="([^"]+)"')
"""What the page loads."""
MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""What is served; any other file is for people (the manifest of `vendor/`)."""
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""No inline code or style, no `eval`, nothing from elsewhere."""


@dataclass(frozen=True, slots=True)
class Asset:
    """One file."""

    media_type: str
    body: bytes
    compressed: bytes
    """By gzip."""
    etag: str
    """Weak: it names the content, compressed or not."""


def load_assets(folder: Path = FOLDER) -> Mapping[str, Asset]:
    """All files by their path below the console's address. `""` is the page. It names the version that `version` has,
    by which a tab that is open for long learns that the files have changed, and loads all else from a folder of that
    name: modules name each other by their place beside one another, so a browser that has them need never ask again.
    """
    bodies = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.suffix in MEDIA_TYPES
    }
    sums = b"".join(hashlib.sha256(body).digest() for body in bodies.values())
    version = hashlib.sha256(sums).hexdigest()[:20].encode()
    page = bodies[INDEX].replace(UNNAMED, UNNAMED.replace(b'""', b'"%s"' % version))
    bodies[INDEX] = NAMED.sub(rb'\1="%s/\2"' % version, page)
    found = {path: _asset(path, body) for path, body in bodies.items()}
    return {"": found[INDEX], **found, VERSION: _asset(VERSION, version)}


def _asset(path: str, body: bytes) -> Asset:
    return Asset(
        media_type=MEDIA_TYPES.get(Path(path).suffix, "text/plain; charset=utf-8"),
        body=body,
        compressed=gzip.compress(body, mtime=0),
        etag=f'W/"{hashlib.sha256(body).hexdigest()[:20]}"',
    )
