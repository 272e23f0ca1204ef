"""Puts the gateway together: the only file that picks adapters."""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from redis.asyncio import Redis
from starlette.middleware import Middleware
from starlette.types import Scope

from gateway.admin.first_start import ensure_admin_key, ensure_key_pair
from gateway.admin.probes import plane_probes, public_probes
from gateway.admin.retention import Retention
from gateway.api import (
    administration,
    backup,
    declared_models,
    model_calls,
    model_plane,
    model_pulls,
    model_routes,
    proxied_calls,
    sessions,
)
from gateway.api.console import console_routes
from gateway.api.direct_routes import direct_routes
from gateway.api.improvement import experiments, feedback, monitors, records
from gateway.api.key_guard import KeyGuard
from gateway.api.openapi import openapi_route, public_openapi
from gateway.auth.authentication import Authenticator
from gateway.auth.grants import Grants
from gateway.auth.key_repository import KeyRepository
from gateway.auth.keys import Principal
from gateway.auth.restore_epoch import restore_epoch
from gateway.auth.session_repository import SessionRepository
from gateway.auth.sessions import Sessions
from gateway.auth.sign_in_limit import SignInLimit
from gateway.auth.tenant_repository import TenantRepository
from gateway.auth.tokens import TokenIssuer
from gateway.cache.answer_cache import AnswerCache, CachePolicy
from gateway.cache.redis_store import RedisStore
from gateway.dependencies import Dependencies, Peers
from gateway.experiments.ratings import rated_answers
from gateway.experiments.service import Experiments
from gateway.experiments.shadow_calls import ShadowCalls
from gateway.feedback.lab_notices import LabNotices
from gateway.feedback.service import FeedbackService
from gateway.limits.admission import Admission
from gateway.limits.budget_repository import BudgetRepository
from gateway.limits.event_streams import EventStreams
from gateway.limits.limiter import Limiter
from gateway.limits.pipelined_connection import PipelinedConnection
from gateway.limits.redis_limiter import RedisLimiter
from gateway.models.catalog import Catalog
from gateway.models.health import UpstreamHealth
from gateway.monitors.judges import MonitorJudges
from gateway.monitors.service import Monitors
from gateway.records.answers import RecordedAnswers
from gateway.records.repository import RecordRepository
from gateway.records.writer import RecordWriter
from gateway.routing.circuit_breaker import BreakerPolicy, Breakers
from gateway.routing.redis_circuits import RedisCircuits
from gateway.routing.repository import RouteRepository
from gateway.server.cors import Cors
from gateway.server.paths import CanonicalPath
from gateway.settings import GatewaySettings, origins_in
from gateway.usage.bounded_labels import BoundedLabels
from gateway.usage.housekeeping import Housekeeping
from gateway.usage.ledger import UsageLedger
from gateway.usage.meter import Meter
from gateway.usage.token_counter import TokenCounter
from servicekit.auth.delegation import DelegationSigner
from servicekit.core.clock import Clock, SystemClock
from servicekit.peers.client import Peer, open_session
from servicekit.redis.client import open_redis
from servicekit.sql.database import Database
from servicekit.sql.migrations import migrate
from servicekit.telemetry.metrics import metrics_router
from servicekit.web.app import build_app
from servicekit.web.body_limits import MULTIPART, LimitFor, Streamed

MIGRATIONS = Path(__file__).parent / "migrations"
MULTIPART_BYTES = 64 * 1024
"""Room for the parts around an uploaded file; ingest holds the file itself to the limit."""
READY_SECONDS = 1.0
"""How long the public `/readyz` remembers its answer: anybody may ask, and each answer asks every service."""
OTHER_CONNECTIONS = 256
"""Connections to peers for all but the public calls that models answer."""
_UPLOAD = re.compile(r"/v1/collections/[^/]+/documents")
_ARCHIVE = re.compile(r"/v1/collections/[^/]+/documents:restore")


@asynccontextmanager
async def open_dependencies(
    settings: GatewaySettings, limiter: Limiter | None = None, clock: Clock | None = None
) -> AsyncIterator[Dependencies]:
    """Open everything, and close it again after every running call has queued its usage."""
    clock = clock or SystemClock()
    async with AsyncExitStack() as stack:
        issuer = await asyncio.to_thread(_issuer, settings, clock)
        database, redis, tenants = await _open_stores(settings, clock, stack)
        peers = await _open_peers(settings, stack)
        catalog, counter = _catalog(settings, peers, issuer, clock, stack)
        keys, budgets = KeyRepository(database, tenants, clock), BudgetRepository(database)
        limiter = limiter or _limiter(settings, redis, stack)
        meter, recorder = _open_meter(stack, settings, database, limiter, budgets, catalog, clock)
        authenticator = Authenticator(keys, clock, settings.key_cache_seconds)
        yield Dependencies(
            settings=settings,
            clock=clock,
            database=database,
            keys=keys,
            tenants=tenants,
            authenticator=authenticator,
            sessions=_sessions(settings, database, authenticator, clock),
            limiter=limiter,
            admission=meter.admission,
            meter=meter,
            housekeeping=_housekeeping(stack, settings, database, meter, budgets, limiter, tenants, clock),
            catalog=catalog,
            counter=counter,
            issuer=issuer,
            grants=Grants(database, clock, issuer.grant_lifetime),
            peers=peers,
            streams=EventStreams(meter.admission, settings.event_streams_per_key),
            recorder=recorder,
            routes=_routes(database, clock, stack),
            shadow_calls=await stack.enter_async_context(ShadowCalls(settings.shadow_calls)),
            breakers=_breakers(settings, redis, stack),
            health=UpstreamHealth(peers.inference, clock),
            answer_cache=_answer_cache(settings, redis, peers, issuer, clock, await restore_epoch(database)),
            feedback=_rated(stack, settings, Monitors(database, clock), tenants, catalog, authenticator, issuer, peers),
            lab_notices=_lab_notices(stack, LabNotices(database, peers.lab, issuer, clock)),
        )


def _sessions(settings: GatewaySettings, database: Database, authenticator: Authenticator, clock: Clock) -> Sessions:
    """Replicas share the key that names the installation."""
    return Sessions(
        SessionRepository(database, clock),
        authenticator,
        clock,
        installation=hashlib.sha256(settings.delegation_public_key_file.read_bytes()).hexdigest()[:8],
        life=timedelta(hours=settings.session_hours),
        cache_seconds=settings.key_cache_seconds,
        limit=SignInLimit(settings.sign_ins_per_minute, clock),
    )


def _catalog(
    settings: GatewaySettings, peers: Peers, issuer: TokenIssuer, clock: Clock, stack: AsyncExitStack
) -> tuple[Catalog, TokenCounter]:
    counter = TokenCounter(peers.inference, issuer)
    stack.push_async_callback(counter.close)
    return Catalog(peers.inference, issuer, clock, settings.models_cache_seconds, counter.discard), counter


def _rated(  # by people and by models
    stack: AsyncExitStack,
    settings: GatewaySettings,
    monitors: Monitors,
    tenants: TenantRepository,
    catalog: Catalog,
    authenticator: Authenticator,
    issuer: TokenIssuer,
    peers: Peers,
) -> FeedbackService:
    """Feedback, and monitors with their judges, until the stack closes."""
    database, clock, labels = monitors.database, monitors.clock, BoundedLabels(settings.metrics_tenants)
    answers = RecordedAnswers(RecordRepository(database, clock))
    _run(stack, monitors.run(), MonitorJudges(monitors, answers, authenticator, issuer, peers.lab).run())
    return FeedbackService(database, tenants, answers, clock, catalog.label, labels)


def _breakers(settings: GatewaySettings, redis: Redis, stack: AsyncExitStack) -> Breakers:
    rules = BreakerPolicy(
        settings.circuit_window_seconds,
        settings.circuit_requests,
        settings.circuit_failure_ratio,
        settings.circuit_open_seconds,
    )
    breakers = Breakers(RedisCircuits(redis, settings.limits_timeout_seconds), rules, time.monotonic)
    _run(stack, breakers.run())
    return breakers


def _limiter(settings: GatewaySettings, redis: Redis, stack: AsyncExitStack) -> RedisLimiter:
    connection = PipelinedConnection(settings.redis_url)
    stack.push_async_callback(connection.close)
    return RedisLimiter(redis, settings.limits_timeout_seconds, connection=connection)


def _answer_cache(
    settings: GatewaySettings, redis: Redis, peers: Peers, issuer: TokenIssuer, clock: Clock, restore_epoch: str
) -> AnswerCache:
    cache = RedisStore(redis, settings.limits_timeout_seconds, settings.cache_bytes)
    rules = CachePolicy(settings.cache_seconds, settings.cache_entry_bytes)
    return AnswerCache(cache, rules, peers.retriever, issuer, clock, restore_epoch)


async def _open_stores(
    settings: GatewaySettings, clock: Clock, stack: AsyncExitStack
) -> tuple[Database, Redis, TenantRepository]:
    database = Database.open(settings.database_url, settings.data_dir, "gateway")
    stack.push_async_callback(database.close)
    redis = open_redis(settings.redis_url)
    stack.push_async_callback(redis.aclose)
    await migrate(database, MIGRATIONS)
    tenants = TenantRepository(database, clock)
    await ensure_admin_key(database, tenants, clock, settings.admin_key_file, settings.admin_tenant)
    return database, redis, tenants


def _routes(database: Database, clock: Clock, stack: AsyncExitStack) -> RouteRepository:
    routes = RouteRepository(database, clock)
    _run(stack, Experiments(database, routes, clock, rated_answers()).run())
    return routes


def _open_meter(
    stack: AsyncExitStack,
    settings: GatewaySettings,
    database: Database,
    limiter: Limiter,
    budgets: BudgetRepository,
    catalog: Catalog,
    clock: Clock,
) -> tuple[Meter, RecordWriter]:
    admission = Admission(limiter, budgets, settings.limits_when_redis_is_away, clock)
    ledger = UsageLedger(database, settings.usage_queue_rows, clock)
    meter = Meter(ledger, admission, catalog, clock, BoundedLabels(settings.metrics_tenants))
    recorder = RecordWriter(database, ledger, settings.records_memory_bytes, settings.records_free_bytes)
    meter.ledger.open()
    recorder.open()
    stack.push_async_callback(meter.ledger.close)
    stack.push_async_callback(recorder.close)
    stack.push_async_callback(meter.admission.drain)
    stack.push_async_callback(meter.wait_until_idle)
    return meter, recorder


def _housekeeping(  # all of this it looks after
    stack: AsyncExitStack,
    settings: GatewaySettings,
    database: Database,
    meter: Meter,
    budgets: BudgetRepository,
    limiter: Limiter,
    tenants: TenantRepository,
    clock: Clock,
) -> Housekeeping:
    housekeeping = Housekeeping(database, meter, budgets, limiter, tenants, clock)
    days = settings.usage_kept_days, settings.audit_kept_days, settings.grant_days
    retention = Retention(database, clock, *days)
    _run(stack, housekeeping.run(), retention.run())
    return housekeeping


def _lab_notices(stack: AsyncExitStack, notices: LabNotices) -> LabNotices:
    _run(stack, notices.run())
    return notices


def _run(stack: AsyncExitStack, *works: Coroutine[Any, Any, None]) -> None:
    """Until the stack closes."""
    tasks = [asyncio.create_task(work) for work in works]

    async def end() -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    stack.push_async_callback(end)


def create_app(settings: GatewaySettings, dependencies: Dependencies | None = None) -> FastAPI:
    """The public API."""
    app = build_app(
        "gateway",
        settings=settings,
        opening=_opening(settings, dependencies),
        routers=[
            model_pulls.router,
            model_calls.router,
            declared_models.router,
            proxied_calls.router(),
            administration.router,
            model_routes.router,
            experiments.router,
            monitors.router,
            feedback.router,
            records.router,
            sessions.router,
            backup.router,
        ],
        probes=public_probes,
        body_limit=_body_limit(settings),
        owner_of=_tenant_of,
        ready_seconds=READY_SECONDS,
        serve_metrics=False,
    )
    origins, mcp_origins = origins_in(settings.cors_origins), origins_in(settings.mcp_origins)
    app.user_middleware[1:1] = [  # below the request's id and account of it
        Middleware(Cors, origins=origins, mcp_origins=[*origins, *mcp_origins]),
        Middleware(CanonicalPath),
    ]
    direct = direct_routes(model_calls.DIRECT_ENDPOINTS)
    app.user_middleware.append(Middleware(KeyGuard, bounded=direct, most=settings.open_calls))  # innermost
    app.router.routes[0:0] = [*direct, *console_routes(), openapi_route(app)]
    setattr(app, "openapi", lambda: public_openapi(app))  # noqa: B010  # FastAPI's documented way, which mypy forbids
    return app


def create_model_plane(settings: GatewaySettings, dependencies: Dependencies | None = None) -> FastAPI:
    """The model plane."""
    return build_app(
        "gateway",
        settings=settings,
        opening=_opening(settings, dependencies),
        routers=[model_plane.router],
        probes=plane_probes,
        record_requests=False,
        body_limit=lambda _path, _media_type: settings.max_body_bytes,
        serve_metrics=False,
    )


def create_metrics_app() -> FastAPI:
    """Metrics alone, for the port that only Prometheus reaches."""
    app = FastAPI(title="Groundwork gateway metrics", openapi_url=None, docs_url=None, redoc_url=None)
    app.include_router(metrics_router())
    return app


def _opening(
    settings: GatewaySettings, dependencies: Dependencies | None
) -> Callable[[], AbstractAsyncContextManager[Dependencies]]:
    if dependencies is not None:
        return lambda: nullcontext(dependencies)
    return lambda: open_dependencies(settings)


def _issuer(settings: GatewaySettings, clock: Clock) -> TokenIssuer:
    private = ensure_key_pair(settings.delegation_private_key_file, settings.delegation_public_key_file)
    lifetime, grant_lifetime = timedelta(seconds=settings.delegation_seconds), timedelta(days=settings.grant_days)
    return TokenIssuer(DelegationSigner(private, clock), lifetime, grant_lifetime)


async def _open_peers(settings: GatewaySettings, stack: AsyncExitStack) -> Peers:
    session = await stack.enter_async_context(open_session(settings.open_calls + OTHER_CONNECTIONS))

    def peer(name: str, url: str) -> Peer:
        return Peer(name, url, session, settings.call_timeout_seconds, restart_seconds=settings.restart_seconds)

    return Peers(
        agent=peer("agent", settings.agent_url),
        lab=peer("lab", settings.lab_url),
        inference=peer("inference", settings.inference_url),
        ingest=peer("ingest", settings.ingest_url),
        retriever=peer("retriever", settings.retriever_url),
    )


def _body_limit(settings: GatewaySettings) -> LimitFor:
    """Files are streamed on; anything else is read whole before it is understood."""

    def limit(path: str, media_type: str) -> int:
        if _ARCHIVE.fullmatch(path) is not None:
            return Streamed(settings.max_archive_bytes)
        if media_type == MULTIPART and _UPLOAD.fullmatch(path) is not None:
            return Streamed(settings.max_upload_bytes + MULTIPART_BYTES)
        return settings.max_body_bytes

    return limit


def _tenant_of(scope: Scope) -> str:
    principal: Principal | None = scope["state"].get("principal")
    return "" if principal is None else principal.tenant
