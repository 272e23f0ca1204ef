"""`POST /v1/chat/completions`: which kind of model is meant, and where its answer comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from contracts.access.records import RECORD_HEADER
from contracts.agents.mcp import REPORT_HEADER
from contracts.models.catalog import AGENT, MAX_COLLECTIONS, RAG, ModelInfo, rag_collections
from contracts.models.chat import AnswerOptions, ChatRequest, StreamOptions
from contracts.operations.reach import CHAT, RUN
from gateway.auth.keys import Principal
from gateway.auth.tokens import AGENTS, ANSWERS, GRANT_HEADER, MODELS
from gateway.cache.answer_cache import CacheControl, Lookup, Made, ResolvedTarget
from gateway.cache.replay import CACHE_HEADER, RecordingObserver, replay
from gateway.chat.answer_start import Upstream
from gateway.chat.attempts import AttemptRequest, Attempts, RetryPolicy
from gateway.chat.completions import read_tokens
from gateway.chat.delivery import answer_chat
from gateway.chat.errors import OptionsNeedDocuments, TooManyCollections
from gateway.chat.observers import AnswerObserver, ModelObserver, RunObserver, VariantObserver
from gateway.chat.prompts import VALUES, expand_prompt, lift_variables
from gateway.chat.shadows import start_shadow
from gateway.chat.traces import CallSpan
from gateway.chat.translation import TranslatedExchange
from gateway.chat.unserved import unserved, without_unserved
from gateway.chat.variants import assign, degrade, id_of
from gateway.dependencies import Dependencies
from gateway.guardrails.answer_observer import GuardrailObserver
from gateway.guardrails.screen import Screen
from gateway.limits.max_usage import AssumedTokens, chat_max_usage, search_max_usage
from gateway.models.catalog import DEFAULT, PlainKind
from gateway.models.errors import ModelNotFound
from gateway.proxy.paths import is_name
from gateway.proxy.rerank_models import reranker_of
from gateway.records.recording import Recording, RecordObserver, begin_recording
from gateway.routing.plan import FallbackSequence, Plan, plan_for
from gateway.routing.split import Assignment
from gateway.streaming.exchange import Exchange
from gateway.streaming.observer import StreamObserver
from gateway.usage.meter import MeteredCall
from gateway.usage.token_counter import ChatCount
from servicekit.core.errors import InvalidRequest
from servicekit.web.json_bodies import off_loop, validated

_NAMED_BESIDE: Mapping[str, PlainKind] = {"reader": "reading", "rerank_model": "rerank"}
"""Models that the options of an answer from documents name, with their kinds."""


@dataclass(frozen=True, slots=True)
class Question:
    """What one call asks: the request as it may go on, its bytes as it came, guardrails, look-up in the cache."""

    request: ChatRequest
    size: int
    screen: Screen
    lookup: Lookup | None = None
    recording: Recording | None = None
    span: CallSpan | None = None
    """Of a public call."""


async def chat(exchange: Exchange, deps: Dependencies, principal: Principal) -> None:
    """Answer one public chat call."""
    exchange.cites()
    async with deps.metered(exchange, principal, "chat") as call:
        body = await exchange.body()
        size, request = len(body), await off_loop(len(body), _request, exchange, body)
        del body  # an answer may take long, and a body much memory
        asked = await assign(exchange, deps, call, request)
        asked = await read_tokens(exchange, deps, call, asked)
        asked = await _answer_screened(exchange, deps, call, asked, size)
    if call.assignment is not None and call.assignment.spec.shadow is not None:
        as_sent = _as_sent(request, asked)
        start_shadow(deps, principal, call.assignment, as_sent, partial(_answer_screened, size=size))


def _as_sent(request: ChatRequest, screened: ChatRequest) -> ChatRequest:
    """A request as its caller sent it, but for what guardrails have masked."""
    options = request.groundwork
    if options is not None and options.variables is not None:
        options = options.model_copy(update={"variables": (screened.model_extra or {}).get(VALUES)})
    sent = screened.model_copy(update={"model": request.model, "groundwork": options})
    (sent.model_extra or {}).pop(VALUES, None)
    return sent


async def _answer_screened(
    exchange: Exchange, deps: Dependencies, call: MeteredCall, request: ChatRequest, size: int
) -> ChatRequest:
    """Answer a request that names what is to answer it; returns what the key's guardrails have left of it."""
    recording = _recording(exchange, deps, call, request, size)
    reach = replace(CHAT, of_run=RUN.of_run) if request.model.startswith(AGENT) else CHAT
    screen = Screen(call.principal.guardrails, reach)
    screened = await screen.question(lift_variables(request), size)
    if recording is not None:
        of_prompt = VALUES in (screened.model_extra or {})
        recording.request = _as_sent(request, screened) if of_prompt else screened
        recording.decisions = screen.decisions
    exchange.headers.update(screen.header())
    request, more = await expand_prompt(exchange, deps, call, screened)
    if recording is not None and more:
        recording.keep_prompt(request.messages[: len(request.messages) - len(screened.messages)], more)
    for word in unserved(request):
        degrade(exchange, word)
    if not request.model.startswith((RAG, AGENT)):
        request = without_unserved(request)
    span = CallSpan(exchange, call, screened)
    question = Question(request, size + more, screen, recording=recording, span=span)
    try:
        await _answer_question(exchange, deps, call, question)
    finally:
        span.end()
    return screened


async def _answer_question(exchange: Exchange, deps: Dependencies, call: MeteredCall, question: Question) -> None:
    request = question.request
    if request.model.startswith(AGENT):
        await answer_from_agent(exchange, deps, call, question)
    elif not deps.answer_cache.is_for(request):
        await _answer(exchange, deps, call, question)
    else:
        await _answer_or_replay(exchange, deps, call, question)


async def _answer_or_replay(exchange: Exchange, deps: Dependencies, call: MeteredCall, question: Question) -> None:
    """Give an answer that was kept, or make one."""
    request, cache_control = question.request, CacheControl.of(exchange.header("cache-control"))
    target, policy = await _resolve_target(deps, call, request), call.principal.guardrails.model_dump_json()
    async with deps.answer_cache.lookup(call.principal, request, cache_control, target, policy) as lookup:
        if lookup.entry is None:
            call.cache = "miss" if cache_control.may_read and lookup.name else "bypass"
            exchange.headers[CACHE_HEADER] = call.cache
            await _answer(exchange, deps, call, replace(question, lookup=lookup))
        else:
            await deps.reserve(exchange, call)
            if question.span is not None:
                question.span.replayed(request, lookup.entry.pieces)
            age = deps.clock.now().timestamp() - lookup.entry.made_at
            await replay(exchange, call, lookup.entry, stream=request.stream, age=age, recording=question.recording)


def _recording(
    exchange: Exchange, deps: Dependencies, call: MeteredCall, request: ChatRequest, size: int
) -> Recording | None:
    leave = exchange.header(RECORD_HEADER.lower())
    recording = begin_recording(deps.recorder, call, request, size, leave, id_of(exchange))
    if recording is not None and call.assignment is not None:
        recording.variant = call.assignment.target.variant
    return recording


def _request(exchange: Exchange, body: bytes) -> ChatRequest:
    """What is asked, in whichever of OpenAI's kinds the caller speaks."""
    if isinstance(exchange, TranslatedExchange):
        return exchange.translation.question(body)
    request = validated(ChatRequest, body)
    if request.raw_prompts:
        raise InvalidRequest(
            "A chat has no 'raw_prompts'. POST /v1/completions goes on from a text.", param="raw_prompts"
        )
    return request


async def _answer(exchange: Exchange, deps: Dependencies, call: MeteredCall, question: Question) -> None:
    if question.request.model.startswith(RAG):
        await answer_from_documents(exchange, deps, call, question)
    else:
        await answer_from_model(exchange, deps, call, question)


def _with_observers(
    observer: StreamObserver, exchange: Exchange, question: Question, assignment: Assignment | None
) -> StreamObserver:
    """An observer, and around it what a call's guardrails, its variant, the cache and its record want to see."""
    screen, lookup = question.screen, question.lookup
    if screen.screens_output or (screen.decisions and not screen.reach.is_inside):
        observer = GuardrailObserver(observer, screen, exchange.headers)
    if assignment is not None:
        observer = VariantObserver(observer, assignment)
    if lookup is not None:
        observer = RecordingObserver(observer, lookup)
    if question.span is not None:
        observer = question.span.watch(observer, question.request)
    return observer if question.recording is None else RecordObserver(observer, question.recording)


async def _resolve_target(deps: Dependencies, call: MeteredCall, request: ChatRequest) -> ResolvedTarget:
    """Raises where the name stands for nothing that the key may use."""
    principal, assignment = call.principal, call.assignment
    variant = None if assignment is None else assignment.variant
    models, routes = await deps.models_and_routes(principal.tenant, request.model)
    fingerprints = {model.id: model.fingerprint for model in models.by_name.values()}
    if not request.model.startswith(RAG):
        plan = plan_for(request.model, models, routes, principal, assignment)
        return ResolvedTarget(tuple(model.id for model in plan.first), fingerprints, variant=variant)
    collections = tuple(collections_of(request.model, principal))
    await _check_models(deps, call, request.groundwork)
    helpers = tuple(model.id for model in models.by_name.values() if model.kind != "chat")
    wanted = request.groundwork.model if request.groundwork is not None else None
    if wanted is None and models.only("chat") is None:
        return ResolvedTarget((), fingerprints, collections, helpers, variant)
    plan = plan_for(wanted or DEFAULT, models, routes, principal)
    return ResolvedTarget(tuple(model.id for model in plan.first), fingerprints, collections, helpers, variant)


async def _check_models(deps: Dependencies, call: MeteredCall, options: AnswerOptions | None) -> None:
    """Raises `ModelNotFound`, `WrongModelKind`, `NoReader` or `NoReranker` for a reader, or a rerank model, that the
    key may not name. One that the route of the call names is for whoever may use the route."""
    of_route = call.assignment.target.groundwork if call.assignment is not None else None
    for field, kind in _NAMED_BESIDE.items():
        named = getattr(options, field, None)
        if named is not None:
            principal = None if getattr(of_route, field, None) == named else call.principal
            models = await deps.catalog.models(call.principal.tenant, named)
            models.resolve(named, kind, principal)


async def answer_from_model(exchange: Exchange, deps: Dependencies, call: MeteredCall, question: Question) -> None:
    """A plain model's answer, or that of one behind a route; what we don't know in the request is the model's."""
    if question.request.groundwork is not None:
        raise OptionsNeedDocuments
    models, routes = await deps.models_and_routes(call.principal.tenant, question.request.model)
    plan = plan_for(question.request.model, models, routes, call.principal, call.assignment)
    sequence = FallbackSequence(plan, _preferred(plan, deps))
    attempts = Attempts(plan, deps.breakers, RetryPolicy(deps.settings.attempts, deps.settings.attempts_seconds))
    if question.recording is not None:
        question.recording.attempts = attempts.done
    await attempts.answer(exchange, call, sequence, _attempt_request(exchange, deps, call, question, attempts))
    if question.lookup is not None and call.error_type is None:
        version = call.answered_by
        fingerprints = {version.model: version.fingerprint} if version.model and version.fingerprint else None
        await deps.answer_cache.store(question.lookup, Made(call.model, fingerprints, headers=version.headers()))


def _attempt_request(
    exchange: Exchange, deps: Dependencies, call: MeteredCall, question: Question, attempts: Attempts
) -> AttemptRequest:
    settings, request = deps.settings, question.request
    wants_usage = request.stream_options is not None and request.stream_options.include_usage
    assumed = AssumedTokens(settings.assumed_answer_tokens, settings.assumed_picture_tokens)

    async def reserve(model: ModelInfo) -> None:
        await deps.reserve(exchange, call, chat_max_usage(model, request, question.size, assumed))

    def named(model: ModelInfo) -> ChatRequest:
        changes: dict[str, object] = {"model": model.id}
        if request.stream and not wants_usage:
            options = request.stream_options or StreamOptions()
            changes["stream_options"] = options.model_copy(update={"include_usage": True})
        return request.model_copy(update=changes)

    def observer(model: ModelInfo) -> StreamObserver:
        count = ChatCount(deps.counter, model, request, question.size, assumed.picture)
        decisions = question.screen.decisions
        observer = ModelObserver(
            call, model, count, show_usage=wants_usage, attempts=attempts.done, decisions=decisions
        )
        return _with_observers(observer, exchange, question, call.assignment)

    token = deps.issuer.shared_token(_allowed(call.principal, attempts.plan), MODELS)
    upstream = Upstream(
        deps.peers.inference, token, settings.answer_timeout_seconds, settings.first_piece_timeout_seconds
    )
    return AttemptRequest(reserve, named, observer, upstream)


def _allowed(principal: Principal, plan: Plan) -> Principal:
    """A key that may use a route may use what is behind it, by this route."""
    if principal.models is None:
        return principal
    return replace(principal, models=tuple(sorted({*principal.models, *(model.id for model in plan.models)})))


def _preferred(plan: Plan, deps: Dependencies) -> list[ModelInfo]:
    """The plan's models, those last that are not ready or much slower than the others."""
    if not plan.has_choice:
        return list(plan.first)
    ready, names = deps.health.known(), [model.id for model in plan.first]

    def penalty(model: ModelInfo) -> int:
        others = [name for name in names if name != model.id]
        return 2 * (not ready.get(model.id, True)) + deps.breakers.is_outlier(model.id, others)

    return sorted(plan.first, key=penalty)


async def answer_from_documents(exchange: Exchange, deps: Dependencies, call: MeteredCall, question: Question) -> None:
    """A `rag:` answer from the agent, whose own model calls come back through the model plane."""
    request = question.request
    names = collections_of(request.model, call.principal)
    call.model = RAG + ",".join(names)
    options = request.groundwork or AnswerOptions()
    if options.model is not None:
        plan_for(options.model, *await deps.models_and_routes(call.principal.tenant, options.model), call.principal)
    await _check_models(deps, call, options)
    known = await deps.catalog.known(call.principal.tenant)
    reranker = await reranker_of(deps, call.principal, exchange.request_id, known, names, options)
    await deps.ask(exchange, call, search_max_usage(known, request.question(), len(set(names)), reranker))
    show_receipt = "receipt" in options.include
    show_sources = question.recording is None or "sources" in options.include
    more: list[Literal["receipt", "sources"]] = [] if show_receipt else ["receipt"]
    if not show_sources:
        more.append("sources")
    options = options.model_copy(update={"include": [*options.include, *more]})
    upstream = Upstream(
        deps.peers.agent,
        deps.issuer.token(call.principal, ANSWERS, exchange.request_id, call.id),
        deps.settings.answer_timeout_seconds,
        deps.settings.answer_timeout_seconds,
        hold=False,
        headers={REPORT_HEADER: "yes"} if question.recording is not None else {},
    )
    observer = AnswerObserver(
        call, deps.inner_calls, show_receipt=show_receipt, show_sources=show_sources, recording=question.recording
    )
    named = request.model_copy(update={"groundwork": options})
    await answer_chat(exchange, call, upstream, named, _with_observers(observer, exchange, question, call.assignment))
    if question.lookup is not None and call.error_type is None and not observer.degraded:
        made = Made(call.model, observer.fingerprints, observer.revisions)
        await deps.answer_cache.store(question.lookup, made)


async def answer_from_agent(exchange: Exchange, deps: Dependencies, call: MeteredCall, question: Question) -> None:
    """A run of an agent as one completion; its model calls come back through the model plane, as rows of their own."""
    request = question.request
    call.principal.require("agents")
    if request.groundwork is not None:
        raise OptionsNeedDocuments
    call.model = request.model[:200]
    await deps.reserve(exchange, call)
    headers = {GRANT_HEADER: deps.issuer.grant(call.principal, exchange.request_id)}
    if question.recording is not None:
        headers[REPORT_HEADER] = "yes"
    upstream = Upstream(
        deps.peers.agent,
        deps.issuer.token(call.principal, AGENTS, exchange.request_id, call.id),
        deps.settings.answer_timeout_seconds,
        deps.settings.answer_timeout_seconds,
        hold=False,
        headers=headers,
    )
    observer = _with_observers(RunObserver(question.recording), exchange, question, call.assignment)
    await answer_chat(exchange, call, upstream, request, observer)


def collections_of(model: str, principal: Principal) -> list[str]:
    """The collections that a `rag:` model names; raises `TooManyCollections`, or `ModelNotFound` for one that the key
    may not use."""
    names = rag_collections(model)
    if len(names) > MAX_COLLECTIONS:
        raise TooManyCollections(MAX_COLLECTIONS)
    if not all(is_name(name) and principal.allows_collection(name) for name in names):
        raise ModelNotFound(model)
    return names
