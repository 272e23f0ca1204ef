"""Reads a whole document, by searches: so its chunks pass guardrails, and the caller's filter holds for them."""

from __future__ import annotations

from agent.answering.searching.retrieval import find
from agent.answering.state import Context
from agent.questions.conversation import Conversation
from contracts.retrieval.search import Condition, Filter, Hit

PAGE, PAGES = 100, 4
"""Chunks of a document that are read: the most that one search gives, and so many times."""
CONDITIONS = 64
"""The most that a filter can have."""


async def read_document(
    collection: str, document_id: str, query: str, conversation: Conversation, context: Context, pages: int = PAGES
) -> list[Hit]:
    """The chunks of a document's newest revision in order, at most so many pages of them; none where there is no room
    for a condition."""
    given = conversation.options.filter or Filter()
    if len(given.must) >= CONDITIONS:
        return []
    only = Condition(key="document_id", match=document_id)
    where = given.model_copy(update={"must": [*given.must, only]})
    found: list[Hit] = []
    for page in range(pages):
        more = await find(
            conversation,
            query,
            context,
            collections=[collection],
            filter=where,
            limit=PAGE,
            offset=page * PAGE,
            mode="hybrid",
            rerank=False,
            neighbours=0,
        )
        found += more
        if len(more) < PAGE:
            break
    newest = max((hit.revision for hit in found), default=0)
    return sorted((hit for hit in found if hit.revision == newest), key=lambda hit: hit.start)
