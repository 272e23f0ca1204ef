"""The node `think`: the model reads what there is and says what to do, or answers."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any

from agent.errors import AgentModelMissing
from agent.metrics import RUN_STEP_SECONDS, RUN_STEPS
from agent.prompts.prompt import load_prompt
from agent.sanitisation.quotation import quotable
from agent.schemas.json_output import shown_output
from agent.steps.budgets import answer_tokens, exhausted_limit, spend
from agent.steps.emitted_text import EmittedText
from agent.steps.state import RunContext, RunState
from agent.steps.tool_calls import CallAssembly, screen
from agent.threads.messages import Message, as_openai, last_text, tokens, without_calls
from agent.tools.search_history import SearchHistory
from agent.tools.tool import Tool
from contracts.models.catalog import ModelInfo
from contracts.models.chat import AnswerReport, ChatRequest, ChatUsage, StreamOptions
from contracts.models.versions import ModelVersion
from servicekit.core.errors import ServiceError

AGENT_PROMPT = "agent.v1"
FLUSH_SECONDS = 0.1
"""How often what there is to say is written to the events while a model reads and speaks."""
REPEATS_AT_MOST = 3
"""Repeated calls that are refused before the run ends: the model does not get any further. It is asked once more,
for an answer in words.
"""
NO_ANSWER = "I have no answer: I made the same tool calls again and again, and they brought nothing new."
"""Where it says none even then."""


async def think(state: RunState, context: RunContext) -> dict[str, Any]:
    """One call of the model. Nothing is done about its calls yet: first its answer is in a checkpoint."""
    run, limits = context.run, context.run.definition.limits
    run.checkpoint()
    limit = exhausted_limit(limits, run, state)
    if limit is not None:
        return {"limit": limit}
    is_last = state.get("refused", 0) >= REPEATS_AT_MOST
    step = state.get("step", 0) + 1
    run.counters["steps"] = step
    run.emit("step.started", {}, step)
    token = await context.token()
    model = await context.models.model(run.definition.model, token)
    if model is None:
        raise AgentModelMissing(run.definition.model)
    emitted, assembly, cut = await _ask(state, context, model, token, step, last=is_last)
    run.answered_step = step
    said: Message = {"role": "assistant", "content": emitted.text}
    changes: dict[str, Any] = {"step": step, "messages": [said]}
    if run.definition.output_schema is not None:
        changes["raw"] = emitted.received
    elif is_last and last_text([*run.own(state["messages"]), said]) is None:
        said["content"] = NO_ANSWER
    if is_last:
        return {**changes, "limit": "repeated_calls"}
    taken = (call["id"] for message in state["messages"] for call in message.get("calls", ()))
    if calls := assembly.calls(step, taken, cut=cut):
        changes |= screen(calls, readable(state, context), limits, state)
        said["calls"] = calls
        for number, call in enumerate(calls):
            shown = {"id": call["id"], "name": call["name"], "arguments": call["arguments"], "index": number}
            run.emit("tool_call", shown, step)
        listed = run.definition.approval.tools
        changes["deciding"] = any(call["name"] in listed and "problem" not in call for call in calls)
    run.counters["tool_calls"] = changes.get("calls_made", state.get("calls_made", 0))
    return changes


async def _ask(
    state: RunState, context: RunContext, model: ModelInfo, token: str, step: int, *, last: bool
) -> tuple[EmittedText, CallAssembly, bool]:
    """What the model says (sent on as it comes, but whole for a schema), and whether it was cut at its limit."""
    run, began = context.run, time.perf_counter()
    request = chat_request(state, context, model, last=last)
    schema = run.definition.output_schema
    heard = _Heard(EmittedText(None if schema is None else partial(shown_output, schema)))
    try:
        await _hear(heard, context, request, token, step)
    except ServiceError as error:  # what it read until then is paid, too
        if error.usage is not None or heard.usage != ChatUsage():
            usage = heard.usage if error.usage is None else ChatUsage.model_validate(error.usage)
            spend(run, usage, model.price, heard.billed)
        raise
    if words := heard.emitted.end():
        run.emit("token", {"text": words}, step)
    usage = heard.usage
    cost = spend(run, usage, model.price, heard.billed)
    known = None if cost is None else f"{cost / 1e9:.9f}"
    counts = {"prompt_tokens": usage.prompt_tokens, "completion_tokens": usage.completion_tokens, "cost_usd": known}
    made_by = {"model": heard.version.model or model.id, "model_digest": heard.version.digest}
    run.emit("usage", {**made_by, **counts}, step)
    RUN_STEPS.inc()
    RUN_STEP_SECONDS.labels("model").observe(time.perf_counter() - began)
    return heard.emitted, heard.assembly, heard.cut


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
    elif definition.output_schema is not None:
        schema = {"name": "output", "schema": definition.output_schema}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return ChatRequest.model_validate(body)


def readable(state: RunState, context: RunContext) -> Mapping[str, Tool]:
    """The run's tools; once a part of the thread is read as a summary only, the search in it, too."""
    if not state.get("summary") or SearchHistory.name in context.tools:
        return context.tools
    return {**context.tools, SearchHistory.name: SearchHistory(context.database)}


def as_function(tool: Tool) -> Mapping[str, Any]:
    """A tool in OpenAI's shape."""
    about = {"name": tool.name, "description": quotable(tool.description), "parameters": tool.parameters}
    return {"type": "function", "function": about}
