"""A question whose answer is known, and whether an answer cites it exactly."""

from __future__ import annotations

from tests.support.home.stack import handbook_questions

from groundwork.client import Groundwork

KNOWN = handbook_questions(answerable=True)[0]


def is_cited(client: Groundwork, collection: str = "handbook") -> bool:
    """The known document is cited, and each quote is the characters of its source that it claims to be."""
    answer = client.ask(collection, KNOWN["question"])
    return KNOWN["document"] in {note.source for note in answer.citations} and all(
        client.documents.text(note.collection, note.document_id, revision=note.revision)[note.start : note.end]
        == note.quote
        for note in answer.citations
    )
