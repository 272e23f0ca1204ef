"""What a change may break: the places that use what it touches, found by search and checked line by line.

Useful with search alone. A model that is larger than the packaged one comments on the change, too, if there is one.

Usage: python -m examples.code_review.review COLLECTION DIFF_FILE    (- reads the diff from standard input)
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from examples.code_review.diff import FileChange, defined, read_diff
from examples.code_review.source import Sources
from examples.connection import packaged_chat_model, run
from groundwork.client import Groundwork

CHUNKS = 100
"""That a search for a name gives, at most."""
PLACES = 25
"""Of a name that are shown."""
MOST_CHARACTERS = 20_000
"""Of a diff, and of places, that a model is asked about."""
PROMPT = {
    "messages": [
        {
            "role": "system",
            "content": "You review a change of source code. Name at most three problems, each with its file and line; "
            "say 'none found' if there are none. Judge by what is shown alone.",
        },
        {"role": "user", "content": "The change:\n{{diff}}\n\nPlaces that use what it touches:\n{{places}}"},
    ],
    "variables": {"diff": {}, "places": {}},
}


def main(client: Groundwork, collection: str, diff: str) -> list[str]:
    """Print the places by name, then a model's comment; the places."""
    changes = read_diff(diff)
    if not diff.strip():
        print("Nothing has changed.")
        return []
    if not changes:
        raise SystemExit("This is no unified diff. Make one with `git diff` or `diff -u`.")
    sources, shown = Sources(client, collection), []
    for change in changes:
        print(f"{change.path}: touches {', '.join(sorted(change.touched)) or 'no definition'}")
        for name in sorted(change.touched):
            places = list(uses(client, collection, sources, name, changes))
            gone = " IS REMOVED, AND" if name in change.removed else ""
            print(f"  {name}{gone} is named in {len(places)} other places of '{collection}'")
            print(*(f"    {place}" for place in places[:PLACES]), sep="\n", end="\n" if places else "")
            shown += places
    comment(client, diff, shown)
    return shown


def uses(
    client: Groundwork, collection: str, sources: Sources, name: str, changes: Sequence[FileChange]
) -> Iterator[str]:
    """`path:line: text` for each line with a name, but for its definition and for lines that the change removes."""
    changed = {change.path: change.lines for change in changes}
    word = re.compile(rf"\b{re.escape(name)}\b")
    hits = client.search(collection, name, mode="sparse", limit=CHUNKS).hits
    found = {hit.document_id: sources.of(hit) for hit in hits}
    for source in sorted(found.values(), key=lambda one: one.path):
        for number, line in enumerate(source.lines, start=1):
            if word.search(line) and defined(line) != name and number not in changed.get(source.path, ()):
                yield f"{source.path}:{number}: {line.strip()}"


def comment(client: Groundwork, diff: str, places: Sequence[str]) -> None:
    """What a model says of the change, as a model's opinion; why nothing, where only the packaged one is there."""
    if small := packaged_chat_model(client):
        print(f"\nNo comment by a model: '{small}' is too small to review code (`groundwork model suggest`).")
        return
    client.prompts.save("code-review", PROMPT, label="production")
    variables = {"diff": diff[:MOST_CHARACTERS], "places": "\n".join(places)[:MOST_CHARACTERS] or "none"}
    said = client.prompts.ask("code-review", variables=variables)
    print(f"\nA model's opinion, not checked:\n{said}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    given = sys.stdin.read() if sys.argv[2] == "-" else Path(sys.argv[2]).read_text(encoding="utf-8")
    run(lambda client: main(client, sys.argv[1], given))
