from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from contracts.core.errors import ErrorBody
from ingest.jobs.authority import Authority
from ingest.jobs.leased_job import IngestJob
from ingest.jobs.outcomes import BudgetSpent, GrantRefused, ServiceAway
from ingest.testing.tokens import FixedTokens
from servicekit.core.errors import PeerError, ServiceError
from servicekit.peers.client import PeerUnreachable

if TYPE_CHECKING:
    from services.ingest.tests.conftest import Service


def refused(status: int = 401) -> PeerError:
    return PeerError(status, ErrorBody(type="authentication", code="invalid_delegation", message="No."))


class Exchange(FixedTokens):
    """Gives a token that tells how fresh it is, and keeps what it was asked; fails where a test says so."""

    def __init__(self, failure: ServiceError | None = None) -> None:
        super().__init__()
        self.failure = failure
        self.asked: list[tuple[str, bool]] = []
        self.budgets: list[str] = []

    async def token(self, grant: str, *, fresh: bool = False) -> str:
        self.asked.append((grant, fresh))
        if self.failure is not None:
            raise self.failure
        return "fresh" if fresh else "kept"

    async def ask_budget(self, grant: str) -> None:
        self.budgets.append(grant)
        if self.failure is not None:
            raise self.failure
        await super().ask_budget(grant)


@pytest.fixture
async def job(service: Service) -> IngestJob:
    await service.upload()
    claimed = await service.worker.queue.claim("worker")
    assert claimed is not None
    return claimed


async def test_a_token_that_a_service_refuses_is_exchanged_for_a_fresh_one(job: IngestJob) -> None:
    exchange, used = Exchange(), list[str]()

    async def call(token: str) -> str:
        used.append(token)
        if token == "kept":
            raise refused()
        return "answer"

    assert await Authority(exchange).call(job, "retriever", call) == "answer"
    assert used == ["kept", "fresh"]
    assert exchange.asked == [("grant-acme", False), ("grant-acme", True)]


async def test_a_service_that_refuses_a_fresh_token_too_is_waited_for(job: IngestJob) -> None:
    used: list[str] = []

    async def call(token: str) -> None:
        used.append(token)
        raise refused()

    with pytest.raises(ServiceAway) as away:
        await Authority(Exchange()).call(job, "retriever", call)
    assert (away.value.service, used) == ("retriever", ["kept", "fresh"])


@pytest.mark.parametrize(
    ("failure", "becomes"),
    [(refused(), GrantRefused), (PeerUnreachable("gateway"), ServiceAway), (refused(403), PeerError)],
)
async def test_without_a_token_nothing_is_called(
    job: IngestJob, failure: ServiceError, becomes: type[Exception]
) -> None:
    async def call(token: str) -> None:
        raise AssertionError(token)

    with pytest.raises(becomes):
        await Authority(Exchange(failure)).call(job, "retriever", call)


async def test_a_job_that_did_not_wait_is_not_asked_for_its_budget(job: IngestJob) -> None:
    exchange = Exchange()
    exchange.spent = True
    await Authority(exchange).ask_budget(job)
    assert exchange.budgets == []


async def test_a_job_that_has_waited_goes_on_only_once_its_budget_has_something_left(
    job: IngestJob, service: Service
) -> None:
    exchange = Exchange()
    job.row["waiting_since"] = service.clock.now()
    await Authority(exchange).ask_budget(job)
    exchange.spent = True
    with pytest.raises(BudgetSpent):
        await Authority(exchange).ask_budget(job)
    assert exchange.budgets == ["grant-acme", "grant-acme"]
    with pytest.raises(GrantRefused):
        await Authority(Exchange(refused())).ask_budget(job)
