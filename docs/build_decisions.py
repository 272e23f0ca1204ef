"""Writes docs/decisions/README.md: every record under its subject with its status. `--check` only compares.

A record's number gives its subject. Its status is `accepted` unless it has a line `**Status.** …`, which says in place
of what, or by what. Exit status 1 where the page is not up to date, or a record has more words than a page holds.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "decisions"
PAGE = FOLDER / "README.md"
WORDS = 600
"""A record is read in two minutes; figures and what else was tried go into `appendix/` under the same name."""
SUBJECTS = {
    "00": "The whole: libraries, tokens, storage",
    "01": "The platform: contracts, storage, jobs, processes, images, backups, evaluation",
    "03": "Ingest and extraction",
    "04": "Retriever",
    "05": "Inference",
    "06": "Gateway",
    "07": "Agent",
    "08": "Lab",
}
HEAD = """# Decisions

What someone could reasonably have decided otherwise, one page each: context, the decision in one line, consequences.
Measurements and what else was tried are in [`appendix/`](appendix). This page is written by `make docs`.
"""
STATUS = re.compile(r"^\*\*Status\.\*\* (.+)$", re.MULTILINE)


def rows(prefix: str) -> list[str]:
    """One table row a record whose number begins with `prefix`, by number."""
    found = []
    for record in sorted(FOLDER.glob(f"{prefix}*.md")):
        text = record.read_text("utf-8")
        number, title = re.split(r":? ", text.split("\n", 1)[0].removeprefix("# "), maxsplit=1)
        status = STATUS.search(text)
        found.append(f"| [{number}]({record.name}) | {title} | {status[1].rstrip('.') if status else 'accepted'} |")
    return found


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for prefix, subject in SUBJECTS.items():
        parts += [f"## {subject}\n", "| record | decision | status |\n| --- | --- | --- |", *rows(prefix), ""]
    return "\n".join(parts)


def faults() -> list[str]:
    """What keeps the records from being a list that can be read."""
    found = [
        f"{record.name} has {words} words; at most {WORDS}, the rest goes into appendix/{record.name}"
        for record in sorted(FOLDER.glob("[0-9]*.md"))
        if (words := len(record.read_text("utf-8").split())) > WORDS
    ]
    strange = [record.name for record in FOLDER.glob("[0-9]*.md") if record.name[:2] not in SUBJECTS]
    return found + [f"{name}: no subject has this number" for name in strange]


def main() -> int:
    """Write the page, or compare it."""
    wrong = faults()
    if "--check" in sys.argv:
        if PAGE.read_text("utf-8") != page():
            wrong.append("docs/decisions/README.md is not up to date: run `make docs`")
    else:
        PAGE.write_text(page(), "utf-8")
    print("\n".join(wrong), file=sys.stderr, end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
