"""What the routes work with: built once at start by `bootstrap`, shared by the gateway's listeners."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any

import structlog
from fastapi import Depends, Request
from starlette.types import Scope

from gateway.auth.authentication import Authenticator
from gateway.auth.errors import KeyAmbiguous, ScopeMissing
from gateway.auth.grants import Grants
from gateway.auth.key_repository import KeyRepository
from gateway.auth.keys import Principal
from gateway.auth.sessions import Sessions
from gateway.auth.tenant_repository import TenantRepository
from gateway.auth.tokens import TokenIssuer
from gateway.cache.answer_cache import AnswerCache
from gateway.experiments.ratings import rated_answers
from gateway.experiments.service import Experiments
from gateway.experiments.shadow_calls import ShadowCalls
from gateway.feedback.lab_notices import LabNotices
from gateway.feedback.reviews import Reviews
from gateway.feedback.service import FeedbackService
from gateway.limits.admission import Admission
from gateway.limits.event_streams import EventStreams
from gateway.limits.limiter import Limiter
from gateway.limits.reservations import NO_USAGE, MaxUsage
from gateway.models.catalog import Catalog, Models
from gateway.models.health import UpstreamHealth
from gateway.monitors.service import Monitors
from gateway.records.repository import RecordRepository
from gateway.records.writer import RecordWriter
from gateway.routing.circuit_breaker import Breakers
from gateway.routing.repository import ActiveRoute, RouteRepository
from gateway.settings import GatewaySettings
from gateway.streaming.exchange import Exchange
from gateway.usage.housekeeping import Housekeeping
from gateway.usage.inner_calls import InnerCalls
from gateway.usage.meter import NOT_LET_IN, Meter, MeteredCall, Route
from gateway.usage.token_counter import TokenCounter
from servicekit.core.clock import Clock
from servicekit.core.errors import ServiceError
from servicekit.peers.client import Peer
from servicekit.sql.database import Database
from servicekit.web.headers import only_header_of


@dataclass(frozen=True, slots=True)
class Peers:
    """The inner services."""

    agent: Peer
    inference: Peer
    ingest: Peer
    retriever: Peer
    lab: Peer


@dataclass(frozen=True, slots=True)
class Dependencies:
    """Everything that outlives a call."""

    settings: GatewaySettings
    clock: Clock
    database: Database
    keys: KeyRepository
    tenants: TenantRepository
    authenticator: Authenticator
    sessions: Sessions
    limiter: Limiter
    admission: Admission
    meter: Meter
    housekeeping: Housekeeping
    catalog: Catalog
    counter: TokenCounter
    issuer: TokenIssuer
    grants: Grants
    routes: RouteRepository
    shadow_calls: ShadowCalls
    breakers: Breakers
    health: UpstreamHealth
    answer_cache: AnswerCache
    feedback: FeedbackService
    lab_notices: LabNotices
    peers: Peers
    streams: EventStreams
    recorder: RecordWriter
    finishing: set[asyncio.Task[Any]] = field(default_factory=set)
    """Work that is ended though its caller has left; the meter counts it among open calls."""

    @property
    def reviews(self) -> Reviews:
        """The queue of answers to be judged."""
        return Reviews(self.database, self.feedback, self.clock)

    @property
    def experiments(self) -> Experiments:
        """What routes that are split have shown."""
        return Experiments(self.database, self.routes, self.clock, rated_answers())

    @property
    def monitors(self) -> Monitors:
        """Whether recorded answers are as good as they were."""
        return Monitors(self.database, self.clock)

    @property
    def inner_calls(self) -> InnerCalls:
        """What calls inside others have used."""
        return InnerCalls(self.database, self.meter)

    @property
    def records(self) -> RecordRepository:
        """Answers that were kept."""
        return RecordRepository(self.database, self.clock)

    async def identify(self, scope: Scope) -> Principal:
        """The active key behind a public call, or behind its session, named in its logs; raises a 401, or a 429 where
        an address signs in too often."""
        self.sessions.count_sign_in(scope)
        authorization = only_header_of(scope, b"authorization", KeyAmbiguous)
        if self.sessions.concern(scope, authorization):
            principal = await self.sessions.identify(scope, authorization)
        else:
            principal = await self.authenticator.identify(authorization)
        structlog.contextvars.bind_contextvars(tenant=principal.tenant, key_id=principal.key_id)
        return principal

    @asynccontextmanager
    async def metered(
        self, exchange: Exchange, principal: Principal, route: Route, *, needs_body: bool = True
    ) -> AsyncIterator[MeteredCall]:
        """A public call, metered until the block ends. The block calls `reserve` as soon as it knows what is needed; a
        call that fails before that is counted as a request all the same. Where only its body tells (`needs_body`) and
        that is large, the call's request and place are asked for before it is read.
        """
        self.watch(exchange, principal)
        async with self.meter.call(principal, route, exchange.request_id) as call:
            try:
                if needs_body and exchange.body_is_large:
                    exchange.headers.update(await call.enter())
                yield call
            except ServiceError as error:
                if not call.is_reserved and not isinstance(error, NOT_LET_IN):
                    await self.reserve(exchange, call)
                raise

    @asynccontextmanager
    async def admitted(
        self, exchange: Exchange, principal: Principal, route: Route, max_usage: MaxUsage = NO_USAGE
    ) -> AsyncIterator[MeteredCall]:
        """A public call that its limits let in, metered until the block ends."""
        async with self.metered(exchange, principal, route, needs_body=False) as call:
            await self.reserve(exchange, call, max_usage)
            yield call

    def watch(self, exchange: Exchange, principal: Principal) -> None:
        """End what streams to a key or a session soon after it has ended, or lost a right."""

        async def may_go_on() -> None:
            await self.authenticator.require_unchanged(principal)
            await self.sessions.require_unended(exchange.scope)

        exchange.goes_on_while(may_go_on)

    async def ask(self, exchange: Exchange, call: MeteredCall, max_usage: MaxUsage) -> None:
        """Pass all limits before work whose parts are charged by themselves, and tell the caller how they stand."""
        exchange.headers.update(await call.ask(max_usage))

    async def reserve(self, exchange: Exchange, call: MeteredCall, max_usage: MaxUsage = NO_USAGE) -> None:
        """Pass all limits before an attempt at an upstream, and tell the caller how they stand."""
        exchange.headers.update(await call.reserve(max_usage))

    async def models_and_routes(self, tenant: str, name: str) -> tuple[Models, Mapping[str, ActiveRoute]]:
        """By which a chat model's or route's name is resolved; a name of neither is looked for in the newest list."""
        routes = await self.routes.list_routes()
        return await self.catalog.models(tenant, None if name in routes else name), routes


async def dependencies_of(request: Request) -> Dependencies:
    """The app's dependencies. Async, since FastAPI would run a plain function in a thread."""
    dependencies: Dependencies = request.app.state.dependencies
    return dependencies


Deps = Annotated[Dependencies, Depends(dependencies_of)]


async def principal_of(request: Request, deps: Deps) -> Principal:
    """The active key behind a public call, asked for before the call was routed; raises a 401."""
    principal: Principal | None = getattr(request.state, "principal", None)
    return principal or await deps.identify(request.scope)


async def admin_of(principal: Annotated[Principal, Depends(principal_of)]) -> Principal:
    """The admin key behind a call; raises a 401 or 403."""
    if not principal.is_admin:
        raise ScopeMissing("admin")
    return principal


Key = Annotated[Principal, Depends(principal_of)]
Admin = Annotated[Principal, Depends(admin_of)]
