"""`prompt:` models: the agent service fills the template, and the call goes on as one of the model that it names.

So limits, guardrails, cache, fallbacks, cost and the usage ledger are a plain model's. The caller's own words, its
variables among them, are screened before; the template's were when it was saved, as an agent's instructions are.
"""

from __future__ import annotations

from typing import Any

from contracts.agents.prompts import PACKAGED_PREFIX, PROMPT, PromptReference, PromptRender, RenderedPrompt
from contracts.models.catalog import RAG
from contracts.models.chat import AnswerOptions, ChatRequest
from gateway.auth.tokens import PROMPTS
from gateway.chat.errors import VariablesNeedPrompt
from gateway.chat.variants import degrade
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
    if _prompt_of(request) is None:
        if options is not None and options.variables is not None:
            raise VariablesNeedPrompt
        return request
    values = (options.variables if options is not None else None) or {}
    return request.model_copy(update={"groundwork": _rest(options), VALUES: dict(values)})


async def expand_prompt(
    exchange: Exchange, deps: Dependencies, call: MeteredCall, request: ChatRequest
) -> tuple[ChatRequest, int]:
    """What is asked by the prompt, and by how many bytes that is more; as it is where no prompt is named.

    A `prompt:` model becomes the one that the prompt names; of `rag:` the instructions become the prompt's. The version
    is said in `X-Groundwork-Prompt`. Raises what is wrong with name or variables.
    """
    named = _prompt_of(request)
    if named is None:
        return request, 0
    call.model = request.model[:200]
    reference = PromptReference.of(named)
    if reference is None:
        raise ModelNotFound(f"{PROMPT}{named}")
    if not call.is_reserved:  # filling costs a read and perhaps embeddings
        exchange.headers.update(await call.enter())
    rendered = await _filled(exchange, deps, call, request, reference)
    exchange.headers[PROMPT_HEADER] = call.prompt = f"{rendered.name}@{rendered.version}"
    if rendered.degraded:
        for word in rendered.degraded:
            degrade(exchange, word)
    merged = _instructed(request, rendered) if request.model.startswith(RAG) else _merged(request, rendered)
    return merged, len(rendered.model_dump_json())


def _prompt_of(request: ChatRequest) -> str | None:
    """The prompt that a request names, as its model or for the instructions of an answer from documents: a version of
    one that ships is no instructions, and is the agent service's to ask with."""
    if request.model.startswith(PROMPT):
        return request.model.removeprefix(PROMPT)
    named = request.groundwork.prompt if request.groundwork is not None and request.model.startswith(RAG) else None
    return None if named is None or named.startswith(PACKAGED_PREFIX) else named


async def _filled(
    exchange: Exchange, deps: Dependencies, call: MeteredCall, request: ChatRequest, reference: PromptReference
) -> RenderedPrompt:
    values = (request.model_extra or {}).get(VALUES)
    asked = PromptRender(
        label=reference.label, version=reference.version, variables=values or {}, question=request.question() or None
    )
    return await deps.peers.agent.call(
        "POST",
        f"/v1/prompts/{reference.name}/fill",
        RenderedPrompt,
        token=deps.issuer.token(call.principal, PROMPTS, exchange.request_id, call.id),
        body=asked,
    )


def _merged(request: ChatRequest, rendered: RenderedPrompt) -> ChatRequest:
    """The template's messages before the caller's, and its parameters where the caller says nothing."""
    fields = _parameters(request, rendered)
    if rendered.response_format is not None:
        fields.setdefault("response_format", rendered.response_format)
    if rendered.tools:
        fields.setdefault("tools", rendered.tools)
    messages = [message.model_dump() for message in rendered.messages]
    messages += [message.model_dump(exclude_unset=True) for message in request.messages]
    return ChatRequest.model_validate({**fields, "model": rendered.model, "messages": messages})


def _instructed(request: ChatRequest, rendered: RenderedPrompt) -> ChatRequest:
    """A `rag:` request with the template's system messages before the caller's own, and the version that it was."""
    texts = [message.content for message in rendered.messages if message.role in ("system", "developer")]
    said = {"role": "system", "content": "\n".join(texts)}
    options = request.groundwork or AnswerOptions()
    changes: dict[str, Any] = {"prompt": f"{rendered.name}@{rendered.version}"}
    if options.model is None and rendered.model != "default":
        changes["model"] = rendered.model
    fields = _parameters(request, rendered)
    fields["groundwork"] = options.model_copy(update=changes).model_dump(exclude_unset=True)
    messages = [said, *(message.model_dump(exclude_unset=True) for message in request.messages)]
    return ChatRequest.model_validate({**fields, "model": request.model, "messages": messages})


def _parameters(request: ChatRequest, rendered: RenderedPrompt) -> dict[str, Any]:
    """What the caller says, and where it says nothing what the template does."""
    own = request.model_dump(exclude_unset=True, exclude={"model", "messages", VALUES})
    own = {name: value for name, value in own.items() if value is not None}
    theirs = rendered.parameters.model_dump(exclude_none=True)
    if any(name in own for name in LENGTHS):
        theirs.pop("max_tokens", None)
    return {**theirs, **own}


def _rest(options: AnswerOptions | None) -> AnswerOptions | None:
    """What else a caller wants of an answer, which only documents give."""
    if options is None or options.model_fields_set <= {"variables"}:
        return None
    rest = options.model_dump(exclude_unset=True, exclude={"variables"})
    return AnswerOptions.model_validate(rest)
