"""A whole gateway without a socket: everything is real but the inner services and Redis, and time stands still."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from services.gateway.tests.inner_services import InnerService
from sqlalchemy import select

from contracts.access.keys import KeyCreate
from contracts.models.catalog import ModelInfo, ModelList, ModelPrice
from gateway.admin.first_start import ensure_key_pair
from gateway.auth.authentication import Authenticator
from gateway.auth.grants import Grants
from gateway.auth.key_repository import KeyRepository
from gateway.auth.keys import Principal
from gateway.auth.session_repository import SessionRepository
from gateway.auth.sessions import Sessions
from gateway.auth.sign_in_limit import SignInLimit
from gateway.auth.tenant_repository import TenantRepository
from gateway.auth.tokens import TokenIssuer
from gateway.cache.answer_cache import AnswerCache, CachePolicy
from gateway.cache.memory_store import MemoryStore
from gateway.dependencies import Dependencies, Peers
from gateway.experiments.shadow_calls import ShadowCalls
from gateway.feedback.answers import MemoryAnswers
from gateway.feedback.lab_notices import LabNotices
from gateway.feedback.service import FeedbackService
from gateway.limits.admission import Admission
from gateway.limits.budget_repository import BudgetRepository
from gateway.limits.event_streams import EventStreams
from gateway.limits.memory_limiter import MemoryLimiter
from gateway.models.catalog import Catalog
from gateway.models.health import UpstreamHealth
from gateway.records.writer import RecordWriter
from gateway.routing.circuit_breaker import BreakerPolicy, Breakers
from gateway.routing.memory_circuits import MemoryCircuits
from gateway.routing.repository import RouteRepository
from gateway.settings import GatewaySettings
from gateway.storage.audit_log import Actor
from gateway.storage.tables import usage
from gateway.usage.bounded_labels import BoundedLabels
from gateway.usage.housekeeping import Housekeeping
from gateway.usage.ledger import UsageLedger
from gateway.usage.meter import Meter
from gateway.usage.token_counter import TokenCounter
from servicekit.auth.delegation import DelegationSigner, DelegationVerifier
from servicekit.core.clock import ManualClock
from servicekit.sql.database import Database

FREE = ModelPrice(prompt_usd_per_million=0)
CHAT = ModelInfo(id="m", kind="chat", default=True, price=FREE, digest="sha256:ab", fingerprint="f1")
OTHER = ModelInfo(id="o", kind="chat", price=FREE)
ASYMMETRIC = ModelInfo(id="e5", kind="embedding", asymmetric=True)
EMBEDDER = ModelInfo(id="e", kind="embedding", price=ModelPrice(prompt_usd_per_million=1))
READER = ModelInfo(id="reads", kind="reading", price=ModelPrice(prompt_usd_per_million=1))
RERANKER = ModelInfo(id="r", kind="rerank", price=ModelPrice(prompt_usd_per_million=1))
ACTOR = Actor("key_admin", "req_1")


class Installation:
    """The gateway's `deps`, its inner services, and the books that it keeps."""

    def __init__(self, folder: Path, database: Database, clock: ManualClock) -> None:
        self.settings = GatewaySettings(
            data_dir=folder,
            delegation_private_key_file=folder / "d.key",
            delegation_public_key_file=folder / "d.pub",
            admin_key_file=folder / "admin.key",
        )
        private = ensure_key_pair(folder / "d.key", folder / "d.pub")
        self.verifier = DelegationVerifier(folder / "d.pub", clock)
        issuer = TokenIssuer(DelegationSigner(private, clock), timedelta(minutes=5), timedelta(days=7))
        self.agent, self.inference = InnerService("agent"), InnerService("inference")
        self.ingest, self.retriever = InnerService("ingest"), InnerService("retriever")
        self.lab = InnerService("lab")
        self.offer(CHAT, EMBEDDER, RERANKER)
        self.limiter, budgets = MemoryLimiter(clock), BudgetRepository(database)
        tenants = TenantRepository(database, clock)
        keys = KeyRepository(database, tenants, clock)
        admission = Admission(self.limiter, budgets, "allow", clock)
        catalog = Catalog(self.inference, issuer, clock, 5)
        meter = Meter(UsageLedger(database, 100, clock), admission, catalog, clock, BoundedLabels(100))
        policy = BreakerPolicy(window_seconds=30, least_requests=10, failure_ratio=0.5, open_seconds=5)
        cached = CachePolicy(seconds=60, entry_bytes=10_000)
        authenticator = Authenticator(keys, clock, 0.9)
        self.answers = MemoryAnswers()
        self.deps = Dependencies(
            settings=self.settings,
            clock=clock,
            database=database,
            keys=keys,
            tenants=tenants,
            authenticator=authenticator,
            sessions=Sessions(
                SessionRepository(database, clock),
                authenticator,
                clock,
                installation="test",
                life=timedelta(hours=12),
                cache_seconds=0.9,
                limit=SignInLimit(self.settings.sign_ins_per_minute, clock),
            ),
            limiter=self.limiter,
            admission=admission,
            meter=meter,
            housekeeping=Housekeeping(database, meter, budgets, self.limiter, tenants, clock),
            catalog=catalog,
            counter=TokenCounter(self.inference, issuer),
            issuer=issuer,
            grants=Grants(database, clock, issuer.grant_lifetime),
            routes=RouteRepository(database, clock),
            shadow_calls=ShadowCalls(2),
            breakers=Breakers(MemoryCircuits(lambda: clock.now().timestamp()), policy, lambda: clock.now().timestamp()),
            health=UpstreamHealth(self.inference, clock),
            answer_cache=AnswerCache(MemoryStore(clock, 100_000), cached, self.retriever, issuer, clock),
            feedback=FeedbackService(database, tenants, self.answers, clock, catalog.label, BoundedLabels(100)),
            lab_notices=LabNotices(database, self.lab, issuer, clock),
            peers=Peers(self.agent, self.inference, self.ingest, self.retriever, self.lab),
            streams=EventStreams(admission, 2),
            recorder=RecordWriter(database, meter.ledger, 64_000_000, 0),
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Installation]:
        """Until the block ends, in order."""
        self.deps.meter.ledger.open()
        self.deps.recorder.open()
        yield self
        await self.deps.meter.wait_until_idle()
        await self.deps.admission.drain()
        await self.deps.counter.close()
        await self.deps.recorder.close()
        await self.deps.meter.ledger.close()

    def offer(self, *models: ModelInfo) -> None:
        """What inference has from now on."""
        self.inference.answers("/v1/models", ModelList(data=list(models)))

    async def secret(self, **wanted: Any) -> str:
        """Of a new key."""
        return (await self._create(**wanted))[1]

    async def principal(self, **wanted: Any) -> Principal:
        """Who a new key speaks for."""
        return await self.deps.keys.get_by_id((await self._create(**wanted))[0])

    async def rows(self) -> list[dict[str, Any]]:
        """The ledger's rows, in the order in which they began. Nothing more is written then."""
        await self.deps.meter.ledger.close()
        query = select(usage).order_by(usage.c.started_at, usage.c.attempt)
        async with self.deps.database.read() as connection:
            return [dict(row) for row in (await connection.execute(query)).mappings()]

    async def _create(self, **wanted: Any) -> tuple[str, str]:
        asked = {"name": "k", "tenant": "acme", "scopes": ["chat", "documents", "search", "agents"], **wanted}
        created = await self.deps.keys.create_key(KeyCreate.model_validate(asked), ACTOR)
        return created.id, created.secret
