"""What a worker does: it bounds its own memory, processor time and output, then carries out one task.

A task is a module with `run(source, folder, options)`, which yields a line for each step that is done; what belongs to
it lies in files of the folder by then. A source that can't be read leaves `failure.json`. The exit status is 0 in both
cases, and `NOT_NOW` where the machine can't do it: a full disk, say.
"""

from __future__ import annotations

import gc
import json
import resource
import sys
from importlib import import_module
from pathlib import Path

from extraction.model.failures import MACHINE_TROUBLE, NO_ROOM, ParseFailed, too_large

NOT_NOW = 71
"""The exit status where the machine, not the document, was the trouble."""


def main(file: str, into: str) -> int:
    """Carry out the task that `options.json` in the folder names."""
    source, folder = Path(file), Path(into)
    options = json.loads((folder / "options.json").read_text())
    _bound(options["memory_bytes"], options["seconds"], options["file_bytes"])
    gc.set_threshold(50_000, 50, 50)  # parsers make many small objects that live to the end
    try:
        for line in import_module(options["task"]).run(source, folder, options):
            sys.stdout.write(f"{line}\n")
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


def _bound(memory: int, seconds: float, file: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 2))
    resource.setrlimit(resource.RLIMIT_FSIZE, (file, file))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _fail(folder: Path, failure: ParseFailed) -> None:
    (folder / "failure.json").write_text(json.dumps({"code": failure.code, "message": failure.message}))
