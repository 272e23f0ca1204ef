"""Unified diffs, as `git diff` and `diff -u` write them: which definitions they touch, and which they remove."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

DEFINES = re.compile(
    r"^\s*(?:(?:export|default|public|private|protected|static|async|pub|abstract)\s+)*"
    r"(?:def|class|function|func|fn|interface|struct|enum|trait|type)\s+(?:\([^)]*\)\s*)?(?P<name>[A-Za-z_]\w*)"
)
HUNK = re.compile(r"^@@ -(?P<old>\d+)(?:,(?P<old_count>\d+))? \+\d+(?:,(?P<new_count>\d+))? @@ ?(?P<within>.*)$")


@dataclass
class FileChange:
    """What a diff does to one file; lines are numbered as they were before it."""

    path: str
    touched: set[str] = field(default_factory=set)
    """Definitions in which something is added or removed."""
    removed: set[str] = field(default_factory=set)
    """Definitions that are no longer there under this name."""
    added: set[str] = field(default_factory=set)
    lines: set[int] = field(default_factory=set)
    """Those that it removes."""


def read_diff(text: str) -> list[FileChange]:
    """The files that a diff changes, in order."""
    changes: list[FileChange] = []
    hunk: Hunk | None = None
    old_path = ""
    for line in text.splitlines():
        if hunk is not None and (hunk.old_left or hunk.new_left):
            hunk.take(line)
        elif line.startswith("--- "):
            old_path = _path(line)
        elif line.startswith("+++ "):
            changes.append(FileChange(old_path if _path(line) == "/dev/null" else _path(line)))
        elif changes and (found := HUNK.match(line)):
            counts = int(found["old_count"] or 1), int(found["new_count"] or 1)
            hunk = Hunk(changes[-1], int(found["old"]), *counts, defined(found["within"]))
    for change in changes:
        change.removed -= change.added
    return changes


@dataclass
class Hunk:
    """A piece of a diff, taken line by line: what is left of its lines before and after, and which comes next."""

    change: FileChange
    number: int
    old_left: int
    new_left: int
    within: str
    """The definition that the next line belongs to."""

    def take(self, line: str) -> None:
        """The next line, with its sign."""
        sign, name = line[:1], defined(line[1:])
        if sign == "\\":  # there is no newline at the end of the file
            return
        self.within = name or self.within
        if sign in ("-", "+") and self.within:
            self.change.touched.add(self.within)
        if sign == "-":
            self.change.lines.add(self.number)
        if name:
            {"-": self.change.removed, "+": self.change.added}.get(sign, set()).add(name)
        self.old_left -= sign != "+"
        self.new_left -= sign != "-"
        self.number += sign != "+"


def defined(line: str) -> str:
    """The name that a line of code defines; empty for none."""
    found = DEFINES.match(line)
    return found["name"] if found else ""


def _path(line: str) -> str:
    path = line[4:].split("\t")[0].strip()
    return path[2:] if path.startswith(("a/", "b/")) else path
