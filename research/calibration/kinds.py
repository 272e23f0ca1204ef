"""How many questions of public sets do the rules of wording take for another kind than an ordinary question?

    python -m research.calibration.kinds DATA [--list]

Every set under DATA in which a single passage is known to answer counts: files named `queries`, `qa`, `reading`, … of
JSON lines with `question`, `query` or `text`. Many that are taken are rightly so ("X, and who is Y?"): `--list` prints
them, to be read. A summary is taken only in so far as a title of the collection has all of its words.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from agent.questions.kind import Parts
from agent.questions.kinds import read_kind

SETS = ("retrieval/**/queries.jsonl", "qa/**/*.jsonl", "training/reading.jsonl.gz", "training/relevance.jsonl.gz")
FIELDS = ("question", "query", "text")


def questions(path: Path) -> Iterator[str]:
    """The questions of a file, each once."""
    seen: set[str] = set()
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        for line in file:
            entry = json.loads(line)
            asked = next((entry[field] for field in FIELDS if isinstance(entry.get(field), str)), "")
            if asked and asked not in seen:
                seen.add(asked)
                yield asked


def main() -> None:
    """Print the counts of each set, and what was taken."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--list", action="store_true")
    chosen = parser.parse_args()
    total, taken = 0, Counter[str]()
    for path in sorted(path for pattern in SETS for path in chosen.data.glob(pattern)):
        count, found = 0, Counter[str]()
        for asked in questions(path):
            count += 1
            if (kind := read_kind(asked)) is None:
                continue
            name = "Comparison" if isinstance(kind, Parts) and kind.compares else type(kind).__name__
            found[name] += 1
            if chosen.list:
                print(f"  {name}: {asked}")
        print(f"{path.relative_to(chosen.data)}: {dict(found)} of {count}")
        total += count
        taken += found
    print(f"all: {dict(taken)} of {total}")


if __name__ == "__main__":
    main()
