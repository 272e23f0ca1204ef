"""Which documents of a collection the questions mean: by id, by source, or by the file name at the source's end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from contracts.documents.documents import Document
from groundwork.errors import QuestionsInvalid
from groundwork.evaluation.questions import Question

NAMED = 3
"""Unknown documents that a message lists."""


class KnownDocuments:
    """A collection's documents by every name that questions may use."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self._ids: set[str] = set()
        self._by_source: dict[str, set[str]] = {}
        for document in documents:
            self._ids.add(document.id)
            for name in {document.source, document.source.rpartition("/")[2]}:
                self._by_source.setdefault(name, set()).add(document.id)

    def find(self, name: str) -> set[str]:
        """The ids that a name stands for: none when it is unknown, several when it is ambiguous."""
        return {name} if name in self._ids else self._by_source.get(name, set())


def resolve(questions: Sequence[Question], known: KnownDocuments, *, allow_missing: bool = False) -> list[Question]:
    """The same questions with document ids for names; raises `QuestionsInvalid` for names that are ambiguous or, unless
    they are allowed, unknown. An allowed one stays as it is, and so counts as not found.
    """
    unknown: list[str] = []
    resolved: list[Question] = []
    for question in questions:
        relevant: dict[str, int] = {}
        for name, grade in question.relevant.items():
            ids = known.find(name)
            if len(ids) > 1:
                raise QuestionsInvalid(
                    f"{question.place}: '{name}' is the source of {len(ids)} documents. Name it by its id, one of: "
                    f"{', '.join(sorted(ids)[:NAMED])}."
                )
            if not ids:
                unknown.append(f"'{name}' ({question.place})")
            id_ = next(iter(ids), name)
            relevant[id_] = max(grade, relevant.get(id_, 0))
        resolved.append(replace(question, relevant=relevant))
    if unknown and not allow_missing:
        more = f" and {len(unknown) - NAMED} more" if len(unknown) > NAMED else ""
        raise QuestionsInvalid(
            f"The collection has no such document: {', '.join(unknown[:NAMED])}{more}. Documents are named by id, "
            "source or file name; ingest what is missing, or let it count as not found with --allow-missing."
        )
    return resolved
