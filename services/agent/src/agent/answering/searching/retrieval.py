"""The node `retrieve`: the chunks for the standalone question, with every option of the caller passed on."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence

import structlog

from agent.answering.searching.rewriting import fused, queries
from agent.answering.searching.second_hop import LEAST_ROOM, joined, leads_to
from agent.answering.state import AnswerState, Context
from agent.errors import is_policy
from agent.grounding.citations import is_exact
from agent.questions.conversation import Conversation
from contracts.retrieval.search import MAX_QUERY_CHARS, Hit, Scores, SearchRequest
from servicekit.core.errors import ServiceError

log = structlog.get_logger(__name__)


async def retrieve(state: AnswerState, context: Context) -> AnswerState:
    """Search for what the question asks, and for what a model made of it if the caller wants that."""
    conversation = state["conversation"]
    first, *more = await queries(state, context)
    hits, *others = await all_of(
        find(conversation, first, context), *(_find_more(conversation, query, context) for query in more)
    )
    if any(others):
        hits = fused([hits, *others], conversation.options.top_k)
    return {"standalone": first, "hits": await _with_second_hop(conversation, first, hits, context)}


async def _with_second_hop(conversation: Conversation, query: str, hits: list[Hit], context: Context) -> list[Hit]:
    """The hits, the last of them for what the first only leads to; nothing changes where all there is was found."""
    options = conversation.options
    if options.mode not in (None, "hybrid") or options.top_k < LEAST_ROOM or len(hits) < options.top_k:
        return hits
    onward = leads_to(query, hits[0])
    if onward is None:
        return hits
    more = await _find_more(conversation, onward, context, "second_hop_unavailable", mode="sparse", rerank=False)
    return joined(hits, more, options.top_k)


async def all_of(*searches: Coroutine[None, None, list[Hit]]) -> list[list[Hit]]:
    """What searches at once find; where one fails, the others are ended with it."""
    tasks = [asyncio.ensure_future(search) for search in searches]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _find_more(
    conversation: Conversation, query: str, context: Context, without: str = "rewrite_unavailable", **changes: object
) -> list[Hit]:
    """The chunks for a further query; none, and `without` in the receipt, where that can't be searched for."""
    try:
        return await find(conversation, query, context, **changes)
    except ServiceError as error:
        if is_policy(error):
            raise
        log.warning("further query not searched for", code=error.code)
        context.receipt.degrade(without)
        return []


async def find(conversation: Conversation, query: str, context: Context, **changes: object) -> list[Hit]:
    """The chunks for a query, with every option of the caller that is not among `changes`.

    Hits whose offsets do not fit their text are left out, since they could not be cited.
    """
    options = conversation.options
    if len(query) > MAX_QUERY_CHARS:
        query = query[:MAX_QUERY_CHARS]
        context.receipt.degrade("query_truncated")
    wanted = {
        "collections": list(conversation.collections),
        "query": query,
        "limit": options.top_k,
        "filter": options.filter,
        "mode": options.mode,
        "rerank": options.rerank,
        "rerank_model": options.rerank_model,
        "generation": options.generation,
        "neighbours": context.settings.neighbours,
    }
    asked = {name: value for name, value in wanted.items() if value is not None}
    request = SearchRequest.model_validate({**asked, **changes})
    reply = await context.search.search(request, context.token)
    context.receipt.add_search(reply, request.collections)
    context.comparison.note(reply)
    context.deciding.note(reply)
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
