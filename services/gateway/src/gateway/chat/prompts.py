"""`prompt:` models: the agent service fills the template, and the call goes on as one of the model that it names.

So limits, guardrails, cache, fallbacks, cost and the usage ledger are a plain model's. The caller's own words, its
variables among them, are screened before; the template's were when it was saved, as an agent's instructions are.
"""

from __future__ import annotations

from typing import Any

from contracts.agents.prompts import PROMPT, PromptReference, PromptRender, RenderedPrompt
from contracts.models.chat import AnswerOptions, ChatRequest
from gateway.auth.tokens import PROMPTS
from gateway.chat.errors import VariablesNeedPrompt
from gateway.dependencies import Dependencies
from gateway.models.errors import ModelNotFound
from gateway.streaming.exchange import Exchange
from gateway.usage.meter import MeteredCall

PROMPT_HEADER = "X-Groundwork-Prompt"
"""Which version of which prompt an answer was asked for by: `greeting@3`."""
VALUES = "prompt_variables"
"""Where a request has the variables while it is screened: `groundwork` itself reaches no model."""
LENGTHS = ("max_tokens", "max_completion_tokens")


def lift_variables(request: ChatRequest) -> ChatRequest:
    """The request with its variables where guardrails look; raises `VariablesNeedPrompt`."""
    options = request.groundwork
    if not request.model.startswith(PROMPT):
        if options is not None and options.variables is not None:
            raise VariablesNeedPrompt
        return request
    values = (options.variables if options is not None else None) or {}
    return request.model_copy(update={"groundwork": _rest(options), VALUES: dict(values)})


async def expand_prompt(
    exchange: Exchange, deps: Dependencies, call: MeteredCall, request: ChatRequest
) -> tuple[ChatRequest, int]:
    """What the prompt's model is asked, and by how many bytes that is more; as it is where no prompt is named.

    The prompt's version is said in `X-Groundwork-Prompt`. Raises what is wrong with name or variables.
    """
    if not request.model.startswith(PROMPT):
        return request, 0
    call.model = request.model[:200]
    reference = PromptReference.of(request.model)
    if reference is None:
        raise ModelNotFound(request.model)
    values = (request.model_extra or {}).get(VALUES)
    asked = PromptRender(
        label=reference.label, version=reference.version, variables=values or {}, question=request.question() or None
    )
    rendered = await deps.peers.agent.call(
        "POST",
        f"/v1/prompts/{reference.name}/fill",
        RenderedPrompt,
        token=deps.issuer.token(call.principal, PROMPTS, exchange.request_id, call.id),
        body=asked,
    )
    exchange.headers[PROMPT_HEADER] = call.prompt = f"{rendered.name}@{rendered.version}"
    if rendered.degraded:
        exchange.headers["X-Groundwork-Degraded"] = ", ".join(rendered.degraded)
    return _merged(request, rendered), len(rendered.model_dump_json())


def _merged(request: ChatRequest, rendered: RenderedPrompt) -> ChatRequest:
    """The template's messages before the caller's, and its parameters where the caller says nothing."""
    own = request.model_dump(exclude_unset=True, exclude={"model", "messages", VALUES})
    theirs: dict[str, Any] = rendered.parameters.model_dump(exclude_none=True)
    if any(own.get(name) is not None for name in LENGTHS):
        theirs.pop("max_tokens", None)
    if rendered.response_format is not None:
        theirs["response_format"] = rendered.response_format
    if rendered.tools:
        theirs["tools"] = rendered.tools
    theirs |= {name: value for name, value in own.items() if value is not None or name not in theirs}
    messages = [message.model_dump() for message in rendered.messages]
    messages += [message.model_dump(exclude_unset=True) for message in request.messages]
    return ChatRequest.model_validate({**theirs, "model": rendered.model, "messages": messages})


def _rest(options: AnswerOptions | None) -> AnswerOptions | None:
    """What else a caller wants of an answer, which only documents give."""
    if options is None or options.model_fields_set <= {"variables"}:
        return None
    return options.model_copy(update={"variables": None})
