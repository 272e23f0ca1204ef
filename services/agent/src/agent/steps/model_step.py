"""The node `think`: the model reads what there is and says what to do, or answers."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any

from agent.agents.errors import ToolNotCalled
from agent.agents.strength import check_strength, is_planned
from agent.errors import AgentModelMissing
from agent.metrics import RUN_STEP_SECONDS, RUN_STEPS
from agent.prompts.prompt import load_prompt
from agent.sanitisation.quotation import quotable
from agent.sanitisation.sanitiser import sanitise
from agent.schemas.json_output import shown_output
from agent.steps.budgets import answer_tokens, exhausted_limit, spend
from agent.steps.emitted_text import EmittedText
from agent.steps.grounded_answer import grounding_of
from agent.steps.state import RunContext, RunState
from agent.steps.tool_calls import Call, CallAssembly, screen
from agent.threads.messages import Message, as_openai, last_text, tokens, user, without_calls
from agent.tools.search_history import SearchHistory
from agent.tools.tool import Tool
from contracts.models.catalog import ModelInfo
from contracts.models.chat import AnswerReport, ChatRequest, ChatUsage, StreamOptions
from contracts.models.versions import ModelVersion
from contracts.retrieval.search import MAX_QUERY_CHARS
from servicekit.core.errors import ServiceError

AGENT_PROMPT = "agent.v1"
FLUSH_SECONDS = 0.1
"""How often what there is to say is written to the events while a model reads and speaks."""
REPEATS_AT_MOST = 3
"""Repeated calls that are refused before the run ends: the model does not get any further. It is asked once more,
for an answer in words.
"""
NO_CALL = "I have called no tool yet."
"""What stands for words that are not shown."""
DEMANDS_AT_MOST = 2
"""How often a model is told to call a tool."""
NO_ANSWER = "I have no answer: I made the same tool calls again and again, and they brought nothing new."
"""Where it says none even then."""


async def think(state: RunState, context: RunContext) -> dict[str, Any]:
    """One call of the model. Nothing is done about its calls yet: first its answer is in a checkpoint."""
    run, limits = context.run, context.run.definition.limits
    run.checkpoint()
    limit = exhausted_limit(limits, run, state)
    if limit is not None:
        return {"limit": limit}
    token = await context.token()
    model = await context.models.model(run.definition.model, token)
    if model is None:
        raise AgentModelMissing(run.definition.model)
    check_strength(run.definition, model)
    if is_planned(run.definition, model):
        return await _plan(state, context)
    is_last = state.get("refused", 0) >= REPEATS_AT_MOST
    step = _begin_step(state, context)
    heard = await _ask(state, context, model, token, step, last=is_last)
    run.answered_step = step
    changes: dict[str, Any] = {"step": step}
    taken = (call["id"] for message in state["messages"] for call in message.get("calls", ()))
    calls = [] if is_last else heard.assembly.calls(step, taken, cut=heard.cut)
    grounding = grounding_of(run.definition, model)
    if not calls and not is_last and (choice := demanded_call(state, context)) is not None:
        said = {"role": "assistant", "content": heard.emitted.text if grounding == "off" else NO_CALL}
        return {**changes, "messages": [said, _demand(choice, model, state, context)]}
    if not calls and grounding != "off":
        changes |= {"draft": heard.emitted.received, "grounding": grounding}
        return {**changes, "limit": "repeated_calls"} if is_last else changes
    said = {"role": "assistant", "content": "" if grounding == "strict" else heard.emitted.text}
    if grounding == "annotate" and said["content"]:
        run.emit("token", {"text": said["content"]}, step)
    changes["messages"] = [said]
    if run.definition.output_schema is not None:
        changes["raw"] = heard.emitted.received
    elif is_last and last_text([*run.own(state["messages"]), said]) is None:
        said["content"] = NO_ANSWER
    if is_last:
        return {**changes, "limit": "repeated_calls"}
    return {**changes, **_take(calls, said, state, context, step)}


def _begin_step(state: RunState, context: RunContext) -> int:
    step = state.get("step", 0) + 1
    context.run.counters["steps"] = step
    context.run.emit("step.started", {}, step)
    return step


def _take(calls: list[Call], said: Message, state: RunState, context: RunContext, step: int) -> dict[str, Any]:
    """The changes of the state by what the model asked for, screened."""
    run, changes = context.run, dict[str, Any]()
    if calls:
        changes |= screen(calls, readable(state, context), run.definition.limits, state)
        said["calls"] = calls
        for number, call in enumerate(calls):
            shown = {"id": call["id"], "name": call["name"], "arguments": call["arguments"], "index": number}
            run.emit("tool_call", shown, step)
        listed = run.definition.approval.tools
        changes["deciding"] = any(call["name"] in listed and "problem" not in call for call in calls)
    run.counters["tool_calls"] = changes.get("calls_made", state.get("calls_made", 0))
    return changes


async def _plan(state: RunState, context: RunContext) -> dict[str, Any]:
    """The steps of an agent whose model is too small to choose them: search, then answer from what is found."""
    if state.get("step", 0):
        return {"draft": None, "grounding": "strict"}
    step = _begin_step(state, context)
    context.run.answered_step = step
    query = context.run.row["input"].strip()[:MAX_QUERY_CHARS]
    said: Message = {"role": "assistant", "content": ""}
    call = {"id": f"call_{step}_0", "name": "search_documents", "arguments": {"query": query}}
    return {"step": step, "messages": [said], **_take([call], said, state, context, step)}


def demanded_call(state: RunState, context: RunContext) -> str | None:
    """The agent's `tool_choice` while the run has made no call that it asks for."""
    choice = context.run.definition.tool_choice
    if choice in ("auto", "none"):
        return None
    made = (call for message in context.run.own(state["messages"]) for call in message.get("calls", ()))
    is_made = any("problem" not in call and choice in ("required", call["name"]) for call in made)
    return None if is_made else choice


def _demand(choice: str, model: ModelInfo, state: RunState, context: RunContext) -> Message:
    """What a model is told that has answered in words; raises `ToolNotCalled` where it was told before, in vain."""
    wanted = "one of your tools" if choice == "required" else f"the tool '{choice}'"
    demand = user(f"Call {wanted} first. Answer once you have its result.")
    if sum(message == demand for message in context.run.own(state["messages"])) >= DEMANDS_AT_MOST:
        raise ToolNotCalled(model.id, choice)
    return demand


async def _ask(state: RunState, context: RunContext, model: ModelInfo, token: str, step: int, *, last: bool) -> _Heard:
    """What the model says: sent on as it comes, whole for a schema, and not yet where documents have a say in it."""
    run, began = context.run, time.perf_counter()
    request = chat_request(state, context, model, last=last)
    schema, held = run.definition.output_schema, grounding_of(run.definition, model) != "off"
    whole = sanitise if held else None if schema is None else partial(shown_output, schema)
    heard = _Heard(EmittedText(whole))
    try:
        await _hear(heard, context, request, token, step)
    except ServiceError as error:  # what it read until then is paid, too
        if error.usage is not None or heard.usage != ChatUsage():
            usage = heard.usage if error.usage is None else ChatUsage.model_validate(error.usage)
            spend(run, usage, model.price, heard.billed)
        raise
    if (words := heard.emitted.end()) and not held:
        run.emit("token", {"text": words}, step)
    usage = heard.usage
    cost = spend(run, usage, model.price, heard.billed)
    known = None if cost is None else f"{cost / 1e9:.9f}"
    counts = {"prompt_tokens": usage.prompt_tokens, "completion_tokens": usage.completion_tokens, "cost_usd": known}
    made_by = {"model": heard.version.model or model.id, "model_digest": heard.version.digest}
    run.emit("usage", {**made_by, **counts}, step)
    RUN_STEPS.inc()
    RUN_STEP_SECONDS.labels("model").observe(time.perf_counter() - began)
    return heard


@dataclass
class _Heard:
    """What one call of the model has come to so far."""

    emitted: EmittedText
    assembly: CallAssembly = field(default_factory=CallAssembly)
    usage: ChatUsage = field(default_factory=ChatUsage)
    billed: Decimal | None = None
    version: ModelVersion = field(default_factory=ModelVersion)
    cut: bool = False


async def _hear(heard: _Heard, context: RunContext, request: ChatRequest, token: str, step: int) -> None:
    """Read the model's answer, and send its words on."""
    run, silent = context.run, True
    async with run.flushed_every(FLUSH_SECONDS), context.models.chat(request, token) as chunks:
        heard.version = chunks.version
        async for chunk in chunks:
            heard.usage = chunk.usage or heard.usage
            if isinstance(chunk.groundwork, AnswerReport) and chunk.groundwork.receipt is not None:
                heard.billed, tokens = chunk.groundwork.receipt.cost_usd, chunk.groundwork.receipt.tokens
                if tokens.prompt:  # of all attempts, not only of the one that answered
                    heard.usage = ChatUsage(prompt_tokens=tokens.prompt, completion_tokens=tokens.completion)
            for choice in chunk.choices:
                heard.assembly.add(choice.delta.tool_calls or ())
                heard.cut = heard.cut or choice.finish_reason == "length"
                if choice.delta.content and (words := heard.emitted.feed(choice.delta.content)):
                    run.emit("token", {"text": words}, step)
            if silent and heard.emitted.text:
                await run.flush()
                silent = False


def chat_request(state: RunState, context: RunContext, model: ModelInfo, *, last: bool = False) -> ChatRequest:
    """What the model is asked: the agent's instructions, the thread as far as it is read, and the run until now.

    `last`: it has no tools, and reads no calls.
    """
    definition, settings = context.run.definition, context.settings
    more = f"\nEarlier on this thread, in short:\n{quotable(state['summary'])}" if state.get("summary") else ""
    if definition.output_schema is not None:
        more += f"\nYour final answer must be JSON, nothing else, that fits this schema:\n{definition.output_schema}"
    prompt = load_prompt(AGENT_PROMPT)
    system = prompt.system.safe_substitute(instructions=definition.instructions, more=more).strip()
    said = [*state.get("earlier", ()), *state["messages"]]
    if last:
        said = without_calls(said)
    read = sum(map(tokens, said)) + len(system) // 4
    most = min(settings.run_answer_tokens, model.answer_tokens or settings.run_answer_tokens)
    if model.context_length is not None:
        most = max(16, min(most, model.context_length - read))
    body: dict[str, Any] = {
        "model": model.id,
        "messages": [{"role": "system", "content": system}, *map(as_openai, said)],
        "stream": True,
        "stream_options": StreamOptions(include_usage=True),
        "max_tokens": answer_tokens(definition.limits, context.run, model.price, read, most),
    }
    if definition.temperature is not None:
        body["temperature"] = definition.temperature
    tools = {} if last else readable(state, context)
    if tools:
        body["tools"] = [as_function(tool) for tool in tools.values()]
        if (choice := demanded_call(state, context)) is not None:
            named = {"type": "function", "function": {"name": choice}}
            body["tool_choice"] = choice if choice == "required" else named
    elif definition.output_schema is not None:
        schema = {"name": "output", "schema": definition.output_schema}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return ChatRequest.model_validate(body)


def readable(state: RunState, context: RunContext) -> Mapping[str, Tool]:
    """The run's tools; once a part of the thread is read as a summary only, the search in it, too."""
    if context.run.definition.tool_choice == "none":
        return {}
    if not state.get("summary") or SearchHistory.name in context.tools:
        return context.tools
    return {**context.tools, SearchHistory.name: SearchHistory(context.database)}


def as_function(tool: Tool) -> Mapping[str, Any]:
    """A tool in OpenAI's shape."""
    about = {"name": tool.name, "description": quotable(tool.description), "parameters": tool.parameters}
    return {"type": "function", "function": about}
