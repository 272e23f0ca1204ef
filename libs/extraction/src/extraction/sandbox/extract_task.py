"""The task of reading one document: for each part it writes `N.text` and `N.json`, and then the line N."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from extraction.formats.catalog import FORMATS
from extraction.formats.reader import parts
from extraction.model.document import Resume
from extraction.model.limits import Limits

PRELOADED = (*dict.fromkeys(each.parser for each in FORMATS), "extraction.sandbox.extract_task")
"""All parsers, and this."""


def run(source: Path, folder: Path, options: Mapping[str, Any]) -> Iterator[str]:
    """Read the document at `source`; raises `ParseFailed`."""
    limits = Limits(options["max_pages"], options["max_text_chars"])
    resume = Resume(**options["resume"])
    for number, part in enumerate(parts(source, options["media_type"], limits, resume)):
        (folder / f"{number}.text").write_text(part.text, encoding="utf-8", newline="\n")
        (folder / f"{number}.json").write_text(json.dumps(part.to_json()))
        yield str(number)
