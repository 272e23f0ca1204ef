"""The node `retrieve`: the chunks for the standalone question, with every option of the caller passed on."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from agent.answering.state import AnswerState, Context
from agent.grounding.citations import is_exact
from agent.questions.conversation import Conversation
from contracts.retrieval.search import MAX_QUERY_CHARS, Hit, Scores, SearchRequest

log = structlog.get_logger(__name__)


async def retrieve(state: AnswerState, context: Context) -> AnswerState:
    """Search for what the question asks."""
    return {"hits": await find(state["conversation"], state["standalone"], context)}


async def find(conversation: Conversation, query: str, context: Context, **changes: object) -> list[Hit]:
    """The chunks for a query, with every option of the caller that is not among `changes`.

    Hits whose offsets do not fit their text are left out, since they could not be cited.
    """
    options = conversation.options
    if len(query) > MAX_QUERY_CHARS:
        query = query[:MAX_QUERY_CHARS]
        context.receipt.degrade("query_truncated")
    asked = {
        "collections": list(conversation.collections),
        "query": query,
        "limit": options.top_k,
        "filter": options.filter,
        "mode": options.mode,
        "rerank": options.rerank,
        "neighbours": context.settings.neighbours,
    }
    request = SearchRequest.model_validate({**asked, **changes})
    reply = await context.search.search(request, context.token)
    context.receipt.add_search(reply, request.collections)
    context.receipt.degrade(*reply.degraded)
    context.receipt.tokens.embedding += reply.usage.embedding_tokens
    context.receipt.tokens.rerank += reply.usage.rerank_tokens
    found = with_neighbours(reply.hits)
    hits = [hit for hit in found if is_exact(hit)]
    if len(hits) < len(found):
        log.warning("hits with wrong offsets left out", count=len(found) - len(hits))
    return hits


def with_neighbours(hits: Sequence[Hit]) -> list[Hit]:
    """The hits, and behind them the chunks that stand beside them in their documents, as further hits.

    Each stays a chunk with a span of its own: between chunks there can be characters that nobody here has seen, and a
    quote must be the document's text to the letter.
    """
    beside = [
        hit.model_copy(
            update={
                "chunk_id": near.chunk_id,
                "text": near.text,
                "page": near.page,
                "heading_path": near.heading_path,
                "start": near.start,
                "end": near.end,
                "score": hits[-1].score,
                "scores": Scores(),
                "neighbours": [],
            }
        )
        for hit in hits
        for near in hit.neighbours
    ]
    return [*hits, *beside]
