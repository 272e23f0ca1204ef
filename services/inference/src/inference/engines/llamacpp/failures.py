"""Why llama.cpp did not load a model, from the last lines of its log, as our errors."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from inference.errors import ArchitectureUnknown, CannotLoad, EngineMissing, FileInvalid, FileTruncated, ModelTooLarge

SHOWN = 200
PATH = re.compile(r"'?/\S+")
"""Where files lie is for the log, not for callers."""
KILLED = -9
REASONS: tuple[tuple[re.Pattern[str], Callable[[str], CannotLoad], str], ...] = (
    (
        re.compile(r"unknown model architecture: '([^']*)'"),
        ArchitectureUnknown,
        "llama.cpp does not know models of the architecture '{found}'. Serve it by vLLM, or take a newer xllamacpp",
    ),
    (
        re.compile(r"(lib\S+): cannot open shared object file"),
        EngineMissing,
        "llama.cpp needs {found}, which this system has not. Install it: apt-get install libgomp1",
    ),
    (
        re.compile(r"not within the file bounds|exceeds remaining file size|failed to read (key-value|tensor)"),
        FileTruncated,
        "{file} is damaged or ends before its weights do. Download it again",
    ),
    (
        re.compile(r"invalid magic"),
        FileInvalid,
        "{file} is no GGUF file. Name another one (`source`), or download it again",
    ),
    (
        re.compile(r"failed to apply lora adapter: (.+)"),
        FileInvalid,
        "an adapter does not fit {file}: {found}. Correct `llamacpp.adapters`",
    ),
    (
        re.compile(r"failed to allocate|out of memory|bad_alloc|cannot allocate", re.IGNORECASE),
        ModelTooLarge,
        "there is not enough memory for it. Take a smaller one, a shorter context_length or a smaller queue.at_once",
    ),
)
"""In its words, of which the release is pinned."""
CONSEQUENCE = re.compile(r"failed to load model|failed to create.context|exiting due to|Failed to init server")
"""Lines that only say that it failed."""


def load_failure(file: str, lines: Sequence[str], code: int) -> CannotLoad:
    """The reason that the lines give; `code` is what the process ended with."""
    for line in lines:
        for pattern, kind, words in REASONS:
            if (found := pattern.search(line)) is not None:
                return kind(words.format(file=file, found=_found(found)))
    if code == KILLED:
        return ModelTooLarge("its process was killed while it loaded, most likely for want of memory")
    said = [line for line in lines if not CONSEQUENCE.search(line)]
    why = PATH.sub("…", said[-1])[:SHOWN] if said else f"its process ended with {code}"
    return CannotLoad(f"llama.cpp can't load {file}: {why}")


def _found(found: re.Match[str]) -> str:
    """What a pattern has found beyond its own words."""
    named = found[1] if found.re.groups else None
    return PATH.sub("…", named)[:SHOWN] if named else ""
