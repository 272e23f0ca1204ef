"""The kinds of question that no single passage answers, told apart by their wording alone.

In doubt a question is an ordinary one: that path answers all kinds in some way, the others only their own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from agent.questions.asked_documents import read_document_question
from agent.questions.condensation import condense
from agent.questions.kind import Kind, Parts
from agent.questions.parts import MAX_CHARACTERS, read_parts
from agent.questions.small_talk import read_small_talk, without_greeting


def read_kind(question: str, earlier: Sequence[str] = ()) -> Kind | None:
    """The kind of the last question of a conversation; None for an ordinary one."""
    if len(question) > MAX_CHARACTERS:
        return None
    said = re.sub(r"\s+", " ", question).strip()
    if (talk := read_small_talk(said, follows=bool(earlier))) is not None:
        return talk
    said = without_greeting(said)
    parts = read_parts(said)
    if parts is None:
        return read_document_question(condense(said, earlier))
    alone = tuple(condense(part, [*earlier, *parts.asked[:place]]) for place, part in enumerate(parts.asked))
    return Parts(alone, parts.labels, parts.language, parts.compares)
