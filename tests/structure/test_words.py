"""The code says the field's words: none of the private ones that stood for them once may come back.

A word is looked for in what is defined: names of modules, classes, functions and their parameters. What it was replaced
by is said beside it, so that who meets the test knows what to write.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORDS = {
    "bell": "notifier",
    "bells": "notifiers",
    "rung": "notify",
    "nursery": "fork server",
    "mandate": "principal, job owner",
    "strikes": "failed attempts",
    "blameless": "count_attempt=False",
    "outbox": "emitted events",
    "tap": "stream observer",
    "taps": "stream observers",
    "wish": "cache control",
    "asking": "attempt",
    "births": "created_at",
    "era": "epoch",
    "corking": "write coalescing",
    "cork": "write coalescing",
    "lane": "worker pool, connection",
    "lanes": "worker pools",
    "guides": "logits processors",
    "sealed": "pinned",
    "withdrawal": "cleanup job",
    "withdrawals": "cleanup jobs",
    "withdraw": "cleanup",
    "remembered": "TTL cache",
    "upkeep": "housekeeping",
    "patience": "retry policy",
    "doubts": "penalty",
    "defused": "sanitised",
    "obedient": "hostile-model fake",
    "ladder": "fallback chain",
    "scrub": "cleanup",
    "sweep": "prune, cleanup",
    "sweeping": "pruning",
    "purge": "delete",
    "forget": "delete",
    "told": "emitted",
    "complaints": "stderr",
    "catalogue": "catalog",
}
"""Old word: what is said instead. The glossary in CONTRIBUTING.md has the meanings."""
STORED = {("state.py", "asking")}
"""File and name: what is written into checkpoints keeps its name."""


def parts(name: str) -> set[str]:
    """The words of an identifier, in lower case: `RedisLane` and `redis_lane` both give redis and lane."""
    return set(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().split("_"))


def defined(file: Path) -> Iterator[tuple[str, int]]:
    """Every name that the file defines, with its line; the file's own name on line 0."""
    yield file.stem, 0
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno


def test_names_are_the_field_s_words() -> None:
    sources = [f for top in ("services", "libs", "cli") for f in (ROOT / top).rglob("src/**/*.py")]
    assert sources
    found = [
        f"{file.relative_to(ROOT)}:{line} {name}: say {WORDS[word]}"
        for file in sources
        if "migrations" not in file.parts
        for name, line in defined(file)
        for word in sorted(parts(name) & WORDS.keys())
        if (file.name, name) not in STORED
    ]
    assert not found, "\n".join(found)
