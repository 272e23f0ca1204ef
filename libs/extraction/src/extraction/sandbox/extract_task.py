"""The task of reading one document: for each part it writes `N.text` and `N.json`, and then the line N."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from extraction.formats.registry import parts
from extraction.model.document import Resume
from extraction.model.limits import Limits

PRELOADED = tuple(
    f"extraction.{name}"
    for name in (
        *("pdf.parser", "office.docx", "text.html", "text.markdown", "text.plain", "text.charsets"),
        *("containers.message", "containers.archive", "text.delimited", "text.records", "sandbox.extract_task"),
    )
)
"""What most documents need."""


def run(source: Path, folder: Path, options: Mapping[str, Any]) -> Iterator[str]:
    """Read the document at `source`; raises `ParseFailed`."""
    limits = Limits(options["max_pages"], options["max_text_chars"])
    resume = Resume(**options["resume"])
    for number, part in enumerate(parts(source, options["media_type"], limits, resume)):
        (folder / f"{number}.text").write_text(part.text, encoding="utf-8", newline="\n")
        (folder / f"{number}.json").write_text(json.dumps(part.to_json()))
        yield str(number)
