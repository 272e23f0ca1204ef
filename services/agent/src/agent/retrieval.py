"""The node `retrieve`: the chunks for the standalone question, with every option of the caller passed on."""

from __future__ import annotations

import structlog

from agent.answers import AnswerState, Context
from agent.citations import is_exact
from contracts.search import SearchRequest

log = structlog.get_logger(__name__)


async def retrieve(state: AnswerState, context: Context) -> AnswerState:
    """Search; hits whose offsets do not fit their text are left out, since they could not be cited."""
    conversation = state["conversation"]
    options = conversation.options
    request = SearchRequest(
        collections=list(conversation.collections),
        query=state["standalone"],
        limit=options.top_k,
        filter=options.filter,
        mode=options.mode,
        rerank=options.rerank,
    )
    reply = await context.search.search(request, context.token)
    context.ledger.degrade(*reply.degraded)
    context.ledger.tokens.embedding += reply.usage.embedding_tokens
    hits = [hit for hit in reply.hits if is_exact(hit)]
    if len(hits) < len(reply.hits):
        log.warning("hits with wrong offsets left out", count=len(reply.hits) - len(hits))
    return {"hits": hits}
