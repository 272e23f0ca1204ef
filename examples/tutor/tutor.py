"""A tutor: asks questions that were made from documents, compares the answer with the source, and shows the source.

Usage: python -m examples.tutor.tutor QUESTION_SET [COUNT]    (an empty line skips a question, Ctrl-D ends)
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from contracts.improvement.question_sets import QuestionRecord
from examples.connection import run
from examples.tutor.grading import Grade, grade, words
from groundwork.client import ApiError, Groundwork

LONGEST = 6
"""Words of an answer that can be asked for word by word; longer ones are for essays."""
SAYS: dict[Grade, str] = {
    "right": "Right.",
    "other_number": "No: the source has another number.",
    "unsure": "That can't be told word by word: compare it yourself.",
    "empty": "Skipped.",
}


@dataclass(frozen=True)
class Item:
    """A question, what is expected, and the passage that it was made from."""

    question: str
    expected: str
    title: str
    passage: str


def main(client: Groundwork, question_set: str, count: int, ask: Callable[[str], str] = input) -> Counter[Grade]:
    """Ask so many questions in a new order; how many answers there were of each grade."""
    grades: Counter[Grade] = Counter()
    for item in items(client, question_set, count):
        print(f"\n{item.question}")
        try:
            said = ask("> ")
        except EOFError:
            break
        graded = grade(item.question, item.expected, said)
        grades[graded] += 1
        print(f"\n{SAYS[graded]}\n  expected: {item.expected}\n  {item.title}: “{item.passage}”")
    asked = sum(grades.values())
    print(f"\n{grades['right']} of {asked} right, {grades['unsure']} to compare yourself, {grades['empty']} skipped.")
    return grades


def items(client: Groundwork, question_set: str, count: int) -> Iterator[Item]:
    """Questions whose answers are short and whose passage is still in the text that they were made from."""
    found = [one for one in client.question_sets.questions(question_set) if _fits(one)]
    if not found:
        raise SystemExit(f"'{question_set}' has no question with a short answer and a passage that it was made from.")
    for one in random.Random().sample(found, len(found)):
        if count < 1:
            return
        place: Any = one.metadata["generated"]
        try:
            document = client.documents.get(place["collection"], place["document_id"])
            text = client.documents.text(place["collection"], document.id, revision=place["revision"])
        except ApiError as error:
            if error.status != 404:
                raise
            continue  # it was deleted, and what it says with it
        passage = " ".join(text[place["start"] : place["end"]].split())
        count -= 1
        yield Item(one.question or "", one.answers[0], document.title, passage)


def _fits(one: QuestionRecord) -> bool:
    return bool(one.question and one.answers and "generated" in one.metadata and len(words(one.answers[0])) <= LONGEST)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3) or not all(count.isdecimal() for count in sys.argv[2:]):
        raise SystemExit(__doc__)
    run(lambda client: main(client, sys.argv[1], int((sys.argv[2:] or ["5"])[0])))
