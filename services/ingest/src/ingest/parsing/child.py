"""What a parsing child does: it bounds its own memory, processor time and output, then reads one document.

For each part it writes two files to its folder, `N.text` and `N.json`, and then a line with the number N to standard
output. A document that can't be read leaves `failure.json`. The exit status is 0 in both cases, and
`NOT_NOW` where the machine can't do it: a full disk, say.
"""

from __future__ import annotations

import gc
import json
import resource
import sys
from pathlib import Path

from ingest.parsing.failures import MACHINE_TROUBLE, NO_ROOM, ParseFailed, too_large
from ingest.parsing.formats import Limits, parts
from ingest.parsing.structure import Resume

NOT_NOW = 71
"""The exit status where the machine, not the document, was the trouble."""
OUTPUT_FACTOR = 8
"""Bytes that may be written for one character of text."""


def main(file: str, into: str) -> int:
    """Read a document into a folder that holds `options.json`."""
    source, folder = Path(file), Path(into)
    options = json.loads((folder / "options.json").read_text())
    limits = Limits(options["max_pages"], options["max_text_chars"])
    _bound(options["memory_bytes"], options["seconds"], limits.max_text_chars * OUTPUT_FACTOR)
    gc.set_threshold(50_000, 50, 50)  # parsers make many small objects that live to the end
    try:
        resume = Resume(**options["resume"])
        for number, part in enumerate(parts(source, options["media_type"], limits, resume)):
            (folder / f"{number}.text").write_text(part.text, encoding="utf-8", newline="\n")
            (folder / f"{number}.json").write_text(json.dumps(part.to_json()))
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()
    except ParseFailed as failure:
        _fail(folder, failure)
    except (MemoryError, RecursionError):
        _fail(folder, too_large())
    except OSError as error:
        if error.errno in MACHINE_TROUBLE:
            return NOT_NOW
        if error.errno != NO_ROOM:
            raise
        _fail(folder, too_large())
    return 0


def _bound(memory: int, seconds: float, output: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 2))
    resource.setrlimit(resource.RLIMIT_FSIZE, (output, output))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _fail(folder: Path, failure: ParseFailed) -> None:
    (folder / "failure.json").write_text(json.dumps({"code": failure.code, "message": failure.message}))
