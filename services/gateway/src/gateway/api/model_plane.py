"""The model plane: the agents' own model calls, charged to the key whose token they carry. Internal only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Annotated, Any

from fastapi import Request

from contracts.access.delegation import (
    Delegation,
    FreshToken,
    LearntTokens,
    Purpose,
    Spent,
    SpentQuestion,
    TokenExchange,
)
from contracts.agents.runs import EndedRun
from contracts.core.base import Name
from contracts.models.catalog import ModelList
from contracts.models.chat import ChatRequest
from contracts.operations.documents import (
    CANCEL_JOB,
    GET_COLLECTION,
    GET_DOCUMENT,
    GET_JOB,
    LIST_CHUNKS,
    LIST_DOCUMENTS,
    READERS,
    REINDEX_COLLECTION,
    SEARCH_COLLECTION,
    UPDATE_COLLECTION,
)
from contracts.operations.models import CREATE_CHAT_COMPLETION
from contracts.operations.operation import Operation
from contracts.operations.reach import CHAT, Reach
from contracts.retrieval.search import SearchRequest
from gateway.admin import tenant_deletion
from gateway.auth.errors import ScopeMissing
from gateway.auth.keys import Principal
from gateway.auth.tokens import DOCUMENT_RUNS, EVALUATIONS, JOBS, RUNS, SWEEPS, TUNING, Audiences
from gateway.chat.model_list import plain_models
from gateway.chat.service import Question, answer_from_model
from gateway.chat.service import chat as chat_of_key
from gateway.dependencies import Dependencies, Deps
from gateway.guardrails.screen import Screen
from gateway.models.cost import training_nano_usd
from gateway.proxy import vector_calls
from gateway.proxy.service import left_in_budgets, proxy
from gateway.records import ended_runs
from gateway.streaming.exchange import Exchange, Relay
from gateway.usage.meter import MeteredCall, Route
from gateway.usage.records import UsageRecord, kept_name
from servicekit.auth.delegation import Caller, check_tenant_admin, require
from servicekit.web.json_bodies import parse
from servicekit.web.router import Router

router = Router()
INSIDE = Reach(is_inside=True)
"""A model call inside a public one that is screened both ways: only retrieved text is looked at."""
INSIDE_RUN = replace(CHAT, is_inside=True)
"""A model call of a run, which goes on after the call that began it: screened both ways, as if it were a client's."""
ModelCaller = Annotated[Caller, require("models", "chat", "agents")]
SearchCaller = Annotated[Caller, require("models", "search", "chat", "agents")]
AnyModelCaller = Annotated[Caller, require("models", "chat", "agents", "search", "documents")]
ModelReader = Annotated[Caller, require("models", "chat", "agents", "search", "documents", "agents:write")]
"""Who saves an agent looks whether its model is there."""
AnswerCaller = Annotated[Caller, require("answers", *CREATE_CHAT_COMPLETION.scopes)]
SearchingCaller = Annotated[Caller, require("answers", *SEARCH_COLLECTION.scopes)]
ReadingCaller = Annotated[Caller, require("answers", *READERS)]
ChangingCaller = Annotated[Caller, require("collections", *UPDATE_COLLECTION.scopes)]
"""A service in a key's place; what the key may do now is asked once more."""
TenantAdmin = Annotated[Caller, require("models", "admin")]
OF_LAB: Mapping[Purpose, Audiences] = {"evaluations": EVALUATIONS, "sweeps": SWEEPS, "tuning": TUNING}
Answer = Callable[[Exchange, MeteredCall], Awaitable[None]]


@router.get("/v1/models")
async def list_models(deps: Deps, caller: ModelReader) -> ModelList:
    """The plain models that the key may use."""
    principal = await deps.authenticator.require_active(caller.delegation.key_id)
    return ModelList(data=await plain_models(deps, principal))


@router.post("/v1/chat/completions", response_model=None)
async def chat(deps: Deps, caller: ModelCaller) -> Any:
    """A plain model's answer."""

    async def answer(exchange: Exchange, call: MeteredCall) -> None:
        body = await exchange.body()
        size, screen = len(body), Screen(call.principal.guardrails, _reach(caller.delegation))
        request = await parse(ChatRequest, body)
        del body
        request = await screen.inner_question(request, size)
        await answer_from_model(exchange, deps, call, Question(request, size, screen))

    return _inner(deps, caller, "chat", answer)


@router.post("/v1/embeddings", response_model=None)
async def embeddings(deps: Deps, caller: AnyModelCaller) -> Any:
    """Vectors for texts."""

    async def answer(exchange: Exchange, call: MeteredCall) -> None:
        await vector_calls.embed(exchange, deps, call, public=False)

    return _inner(deps, caller, "embeddings", answer)


@router.post("/v1/rerank", response_model=None)
async def rerank(deps: Deps, caller: AnyModelCaller) -> Any:
    """Documents in the order of their relevance."""

    async def answer(exchange: Exchange, call: MeteredCall) -> None:
        await vector_calls.rerank(exchange, deps, call)

    return _inner(deps, caller, "rerank", answer)


@router.post("/v1/reading", response_model=None)
async def read(deps: Deps, caller: AnyModelCaller) -> Any:
    """Whether and where passages answer a question; whether premises support sentences."""

    async def answer(exchange: Exchange, call: MeteredCall) -> None:
        await vector_calls.read(exchange, deps, call)

    return _inner(deps, caller, "reading", answer)


@router.post("/v1/search", response_model=None)
async def search(deps: Deps, caller: SearchCaller) -> Any:
    """Hits of the agents' searches: what a query costs is charged like any call."""
    if "retriever" not in caller.delegation.audiences:  # the token of a run whose key may not read documents
        raise ScopeMissing("search")

    async def answer(exchange: Exchange, call: MeteredCall) -> None:
        request = await parse(SearchRequest, await exchange.body())
        await vector_calls.search(exchange, deps, call, request, Screen(call.principal.guardrails, INSIDE))

    return _inner(deps, caller, "search", answer)


@router.post("/v1/answers", response_model=None)
async def answer_as_public(deps: Deps, caller: AnswerCaller) -> Any:
    """A chat just as the public API answers it, asked by an evaluation in its key's place: with the key's scopes,
    limits, guardrails and budgets."""
    principal = await _in_place_of(deps, caller, CREATE_CHAT_COMPLETION)

    async def work(exchange: Exchange) -> None:
        await chat_of_key(exchange, deps, principal)

    return Relay(work)


@router.post(SEARCH_COLLECTION.path, response_model=None)
async def search_as_public(deps: Deps, caller: SearchingCaller) -> Any:
    """A search just as the public API makes it, in a key's place: so that a question is found as its asker finds it."""
    principal = await _in_place_of(deps, caller, SEARCH_COLLECTION)

    async def work(exchange: Exchange) -> None:
        async with deps.metered(exchange, principal, "search") as call:
            await vector_calls.search_collection(exchange, deps, call)

    return Relay(work)


@router.get(LIST_DOCUMENTS.path, response_model=None)
async def list_documents_as_public(deps: Deps, caller: ReadingCaller) -> Any:
    """A collection's documents, as the key sees them."""
    return await _passed_on(deps, caller, LIST_DOCUMENTS)


@router.get(GET_COLLECTION.path, response_model=None)
async def get_collection_as_public(deps: Deps, caller: ReadingCaller) -> Any:
    """A collection, as the key sees it."""
    return await _passed_on(deps, caller, GET_COLLECTION)


@router.patch(UPDATE_COLLECTION.path, response_model=None)
async def update_collection_as_public(deps: Deps, caller: ChangingCaller) -> Any:
    """Change how a collection is searched, as the key may."""
    return await _passed_on(deps, caller, UPDATE_COLLECTION)


@router.post(REINDEX_COLLECTION.path, response_model=None)
async def reindex_collection_as_public(deps: Deps, caller: ChangingCaller) -> Any:
    """Build a collection's index anew, as the key may."""
    return await _passed_on(deps, caller, REINDEX_COLLECTION)


@router.get(GET_JOB.path, response_model=None)
async def get_job_as_public(deps: Deps, caller: ChangingCaller) -> Any:
    """How far such a job is, as the key sees it."""
    return await _passed_on(deps, caller, GET_JOB)


@router.post(CANCEL_JOB.path, response_model=None)
async def cancel_job_as_public(deps: Deps, caller: ChangingCaller) -> Any:
    """End it, as the key may."""
    return await _passed_on(deps, caller, CANCEL_JOB)


@router.get(GET_DOCUMENT.path, response_model=None)
async def get_document_as_public(deps: Deps, caller: ReadingCaller) -> Any:
    """One document, as the key sees it."""
    return await _passed_on(deps, caller, GET_DOCUMENT)


@router.get(LIST_CHUNKS.path, response_model=None)
async def list_chunks_as_public(deps: Deps, caller: ReadingCaller) -> Any:
    """A document's chunks, as the key sees them."""
    return await _passed_on(deps, caller, LIST_CHUNKS)


@router.post("/v1/tokens")
async def exchange_grant(body: TokenExchange, request: Request, deps: Deps) -> FreshToken:
    """A job's or a run's grant for a fresh token; 403 `key_revoked` once the key is revoked or expired, 429
    `budget_exceeded` where a budget is asked for and has nothing left."""
    grant = await deps.grants.verify(body.grant, request.app.state.verifier)
    principal = replace(await deps.authenticator.require_active(grant.key_id), bulk=grant.bulk)
    lifetime = deps.issuer.lifetime.total_seconds()
    if grant.tenant != principal.tenant:  # an administrator's, to delete another tenant
        principal.require("admin")
        token = deps.issuer.deletion_token(principal, grant.tenant, grant.request_id)
        return FreshToken(token=token, expires_in=lifetime)
    audiences = JOBS
    if body.purpose == "runs":
        principal.require("agents")
        audiences = DOCUMENT_RUNS if principal.scopes & set(READERS) else RUNS
    elif body.purpose in OF_LAB:
        principal.require("evaluations:write")
        principal = replace(principal, bulk=principal.bulk or body.purpose != "tuning")
        audiences = OF_LAB[body.purpose]
    if body.spends:
        await deps.admission.ask(principal, await left_in_budgets(deps, principal.tenant), deps.clock.now())
    token = deps.issuer.token(principal, audiences, grant.request_id, body.call_id)
    return FreshToken(token=token, expires_in=lifetime, scopes=tuple(sorted(principal.scopes)))


@router.post("/v1/spent")
async def spent(body: SpentQuestion, request: Request, deps: Deps) -> Spent:
    """What the calls under one id have used, once none of them is open, also if their key was revoked meanwhile."""
    grant = await deps.grants.verify(body.grant, request.app.state.verifier)
    if body.by == "requests":
        used = await deps.inner_calls.spent_for_requests(body.call_id, grant.key_id, body.since)
    else:
        used = await deps.inner_calls.spent(body.call_id, grant.key_id)
    return Spent(
        prompt_tokens=used.tokens.prompt,
        completion_tokens=used.tokens.completion,
        embedding_tokens=used.tokens.embedding,
        model_calls=len(used.attempts),
        cost_nano_usd=used.cost,
        records=grant.records,
    )


@router.post("/v1/learnt", status_code=204)
async def charge_learnt(body: LearntTokens, request: Request, deps: Deps) -> None:
    """Put what a tuning job has read to learn into the ledger: one row, however often it is sent. It is there once this
    is answered; raises `LedgerUnavailable` where it is not, or what keeps the price from being known now."""
    grant = await deps.grants.verify(body.grant, request.app.state.verifier, also_expired=True)  # it says who pays
    model = (await deps.catalog.models(grant.tenant, body.model)).by_name.get(body.model)
    learnt = UsageRecord(
        id=body.job,
        parent_id=None,
        request_id=grant.request_id,
        key_id=grant.key_id,
        tenant=grant.tenant,
        route="tuning",
        model=kept_name(body.model),
        prompt_tokens=body.tokens,
        completion_tokens=0,
        embedding_tokens=0,
        cost_nano_usd=None if model is None else training_nano_usd(model.price, body.tokens),
        status=200,
        error_type=None,
        streamed=False,
        started_at=deps.clock.now(),
        ms=0,
    )
    await deps.housekeeping.late_rows.add(learnt)


@router.post("/v1/runs/ended", status_code=204)
async def record_run(body: EndedRun, request: Request, deps: Deps) -> None:
    """Put a run on record that has ended, if its grant and its key say so."""
    grant = await deps.grants.verify(body.grant, request.app.state.verifier)
    principal = await deps.authenticator.require_active(grant.key_id)
    if grant.records:
        used = await deps.inner_calls.spent(body.run.id, grant.key_id)
        ended_runs.record(deps.recorder, principal, grant.request_id, body, used)


@router.post("/v1/tenants/{name}/purge", status_code=204)
async def delete_tenant_data(name: Name, deps: Deps, caller: TenantAdmin) -> None:
    """Remove what the agent service and the gateway have of a tenant that is being deleted; ingest's last step."""
    check_tenant_admin(caller, name)
    principal = await deps.authenticator.require_active(caller.delegation.key_id)
    await tenant_deletion.end(deps, name, principal, caller.delegation.request_id)


async def _in_place_of(deps: Dependencies, caller: Caller, operation: Operation[Any]) -> Principal:
    """The key, if it may make the call now."""
    principal = await _active(deps, caller.delegation)
    principal.require(*operation.scopes)
    return principal


async def _active(deps: Dependencies, delegation: Delegation) -> Principal:
    """The key of a call, which gives way to others' if its token says so."""
    return replace(await deps.authenticator.require_active(delegation.key_id), bulk=delegation.bulk)


async def _passed_on(deps: Dependencies, caller: Caller, operation: Operation[Any]) -> Relay:
    principal = await _in_place_of(deps, caller, operation)

    async def work(exchange: Exchange) -> None:
        await proxy(exchange, deps, principal, operation)

    return Relay(work)


def _inner(deps: Dependencies, caller: Caller, route: Route, answer: Answer) -> Relay:
    """A metered call inside another one, which has already passed the limits."""

    async def work(exchange: Exchange) -> None:
        delegation = caller.delegation
        principal = await _active(deps, delegation)
        parent = delegation.call_id or delegation.request_id
        async with deps.meter.call(principal, route, exchange.request_id, parent) as call:
            await answer(exchange, call)

    return Relay(work)


def _reach(delegation: Delegation) -> Reach:
    """What is screened, by the token: only a run's names no call of the agent service."""
    return INSIDE if "agent" in delegation.audiences else INSIDE_RUN
