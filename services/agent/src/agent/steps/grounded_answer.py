"""The node `ground`: an answer that may be made of documents is compared with them, as that of a `rag:` model is.

Nothing of it is said before. What is said goes out with the checkpoint that has it, so that a run that is taken up
again either has all of it or says nothing of it twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from contextvars import copy_context
from typing import Any

from langchain_core.runnables.config import var_child_runnable_config

from agent.answering.drafting.generation import default_grounding
from agent.answering.graph import GivenDraft
from agent.answering.state import Event, Finished, Piece
from agent.grounding.support import is_factual
from agent.questions.conversation import MAX_INSTRUCTIONS, MAX_QUESTION, MAX_TURNS, Conversation
from agent.questions.small_talk import read_small_talk
from agent.runs.sources import list_sources
from agent.sanitisation.sanitiser import sanitise
from agent.steps.state import RunContext, RunState
from agent.text.sentences import sentences
from agent.threads.messages import Message
from contracts.agents.agents import DOCUMENT_TOOLS, AgentDefinition, ReadDocumentTool, SearchDocumentsTool
from contracts.agents.runs import RunAnswer, RunSource
from contracts.models.catalog import MAX_COLLECTIONS, RAG, ModelInfo
from contracts.models.chat import AnswerOptions, ChatRequest, Grounding
from contracts.retrieval.search import Hit, Scores


def grounding_of(definition: AgentDefinition, model: ModelInfo) -> Grounding:
    """How the answers of an agent are compared with documents on this model; `off` where it reads none."""
    if not definition.reads_documents or definition.output_schema is not None:
        return "off"
    return definition.grounding or default_grounding(model, "reader")


async def ground(state: RunState, context: RunContext) -> dict[str, Any]:
    """The answer that may be given: what is supported of the draft with its citations, or what the documents say."""
    run, draft = context.run, state.get("draft")
    run.checkpoint()
    if draft is not None and not _has_to_be_compared(draft, state, context):
        text, answer = sanitise(draft), None
    else:
        text, answer = await _compared(draft, state, context)
        if draft is not None and answer.answer_kind == "abstained" and _may_say_more(state, context):
            text, answer = sanitise(draft), None
    if text:
        if (
            run.answered_step != state["step"]
        ):  # whoever had the run before may have begun the step, and said none of it
            run.emit("step.started", {}, state["step"])
        run.emit("token", {"text": text}, state["step"])
    shown = None if answer is None else answer.model_dump(mode="json")
    return {"messages": [{"role": "assistant", "content": text}], "draft": None, "grounding": None, "answer": shown}


def _has_to_be_compared(draft: str, state: RunState, context: RunContext) -> bool:
    """Whether it says anything, and may say it of documents: what only other tools brought is theirs."""
    if read_small_talk(" ".join(context.run.row["input"].split()), follows=bool(state.get("earlier"))) is not None:
        return False
    if draft.strip() and not any(is_factual(draft[begin:end]) for begin, end in sentences(draft)):
        return False
    called = {call["name"] for message in _own(state, context) for call in message.get("calls", ())}
    reads = {tool.type for tool in context.run.definition.tools} <= DOCUMENT_TOOLS
    return reads or bool(called & DOCUMENT_TOOLS) or (state.get("grounding") == "strict" and not called)


def _may_say_more(state: RunState, context: RunContext) -> bool:
    """Whether an answer that begins with a no may go on with what another tool has brought."""
    others = {tool.type for tool in context.run.definition.tools} - DOCUMENT_TOOLS
    return state.get("grounding") == "annotate" and bool(others)


async def _compared(draft: str | None, state: RunState, context: RunContext) -> tuple[str, RunAnswer]:
    """Text and what documents say of it; without a draft the answer of a `rag:` model."""
    token, run = await context.token(), context.run
    collections, instructions = await _collections(context, token), run.definition.instructions
    conversation = Conversation(
        collections=tuple(collections),
        question=run.row["input"].strip()[:MAX_QUESTION],
        earlier=tuple(_earlier(state)),
        instructions=instructions[:MAX_INSTRUCTIONS] if isinstance(instructions, str) else "",
        options=AnswerOptions(grounding=state.get("grounding"), model=run.definition.model),
        tenant=run.tenant,
    )
    given = None if draft is None else GivenDraft(draft, [_hit(one) for one in await _sources(context)])
    request = ChatRequest.model_validate(
        {"model": RAG + ",".join(collections), "messages": [{"role": "user", "content": conversation.question}]}
    )
    events = context.answering.events(conversation, request, token, run.row["request_id"], given)
    own = copy_context()  # LangGraph would take a graph in a node for a part of the run's, with its checkpoints
    own.run(var_child_runnable_config.set, None)
    pieces, end = await asyncio.create_task(_read(events), context=own)
    run.counters["prompt_tokens"] += end.usage.prompt_tokens  # its cost is what the ledger has of the run
    run.counters["completion_tokens"] += end.usage.completion_tokens
    text = "".join(piece.text for piece in pieces)
    annotations = [annotation.model_dump(mode="json") for piece in pieces for annotation in piece.annotations]
    report = end.report
    answer = RunAnswer(grounded=report.grounded, answer_kind=report.answer_kind, annotations=annotations)
    return text, answer


async def _read(events: AsyncGenerator[Event]) -> tuple[list[Piece], Finished]:
    async with aclosing(events):
        found = [event async for event in events]
    return [event for event in found if isinstance(event, Piece)], next(
        event for event in found if isinstance(event, Finished)
    )


async def _collections(context: RunContext, token: str) -> list[str]:
    """Those that the agent's tools name, else those of the key."""
    named: dict[str, None] = {}
    for tool in context.run.definition.tools:
        if isinstance(tool, SearchDocumentsTool | ReadDocumentTool):
            if tool.collections is None:
                return (await context.answering.library.collections(token))[:MAX_COLLECTIONS]
            named.update(dict.fromkeys(tool.collections))
    return [*named][:MAX_COLLECTIONS]


def _earlier(state: RunState) -> list[str]:
    said = [one["content"].strip() for one in state.get("earlier", ()) if one["role"] == "user"]
    return [text[:MAX_QUESTION] for text in said if text][-MAX_TURNS:]


def _own(state: RunState, context: RunContext) -> Sequence[Message]:
    return context.run.own(state["messages"])


async def _sources(context: RunContext) -> list[RunSource]:
    async with context.database.read() as connection:
        return await list_sources(connection, context.run.row)


def _hit(source: RunSource) -> Hit:
    """A passage that a tool has read, as one that was found."""
    about = source.model_dump(exclude={"score"})
    more = {"title": source.title or "", "source": source.title or "", "text": source.text or ""}
    return Hit.model_validate({**about, **more, "score": source.score or 0.0, "scores": Scores()})
