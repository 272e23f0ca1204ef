"""The reading version: what decides, besides a document's bytes, whether they can be turned into text."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from extraction.model.limits import Limits

DISTRIBUTION = "groundwork-extraction"
_NAME = re.compile(r"[A-Za-z0-9._-]+")


def reading_version(limits: Limits, memory_bytes: int) -> str:
    """A hash of this installation's parsers, of the libraries under them, text recognition included, and of the limits.

    Time is not in it: what took too long here may not the next time.
    """
    sources = hashlib.sha256()
    package = Path(__file__).parents[1]
    for path in sorted(path for path in package.rglob("*.py") if path.parent.name not in ("chunking", "pictures")):
        sources.update(str(path.relative_to(package)).encode() + b"\0" + path.read_bytes())
    facts = {
        "parsers": sources.hexdigest(),
        "libraries": {name: _installed(name) for name in _libraries()},
        "python": sys.version_info[:3],
        "limits": [limits.max_pages, limits.max_text_chars, memory_bytes],
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]


def _libraries() -> list[str]:
    """What this library is declared to need, extras too."""
    return sorted({found.group() for line in requires(DISTRIBUTION) or [] if (found := _NAME.match(line))})


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
