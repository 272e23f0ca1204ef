from __future__ import annotations

import asyncio

import pytest
from prometheus_client import REGISTRY
from services.agent.tests.runs_bench import Bench, bench

from agent.runs import recorder
from agent.runs.recorder import RunEnd, RunRecorder
from agent.testing.fixed_tokens import FixedTokens, KeyRevoked
from contracts.agents.runs import Run
from servicekit.core.errors import RateLimited, ServiceError, UpstreamFailed
from servicekit.core.probes import Degraded
from servicekit.sql.database import Database

AWAY = UpstreamFailed("The gateway is away.")


class Failing(FixedTokens):
    """A gateway that fails at first."""

    def __init__(self, *failures: ServiceError) -> None:
        super().__init__()
        self.failures = list(failures)
        self.asked = 0

    async def record(self, grant: str, run: Run, sources: object) -> None:
        self.asked += 1
        if self.failures:
            raise self.failures.pop(0)
        await super().record(grant, run, [])


def _count(outcome: str) -> float:
    return REGISTRY.get_sample_value("groundwork_run_records_total", {"outcome": outcome}) or 0.0


async def _ended(database: Database) -> tuple[Bench, RunEnd]:
    one = bench(database, "Hello.")
    await one.define()
    run = await one.run()
    await one.agents.recorder.all_sent()
    return one, RunEnd("grant", run.thread_id, run.id)


async def _sent(database: Database, tokens: FixedTokens, run: RunEnd) -> tuple[RunRecorder, str]:
    """A recorder that was handed the run, and what is counted of it."""
    before = {outcome: _count(outcome) for outcome in ("sent", "refused", "failed", "no_memory", "closed")}
    made = RunRecorder(database, tokens, pauses=(0.0, 0.0))
    made.submit(run)
    await made.all_sent()
    (counted,) = [outcome for outcome, count in before.items() if _count(outcome) > count]
    return made, counted


@pytest.mark.parametrize("failures", [(), (AWAY,), (AWAY, RateLimited("Too many.", retry_after=1))])
async def test_the_gateway_is_told_again_where_it_could_not_be_told(
    database: Database, failures: tuple[ServiceError, ...]
) -> None:
    one, run = await _ended(database)
    tokens = Failing(*failures)
    made, counted = await _sent(database, tokens, run)
    assert (counted, tokens.asked) == ("sent", len(failures) + 1)
    ((grant, told, _),) = tokens.recorded
    assert (grant, told) == ("grant", (await one.shown(told)))
    await made.probe()


async def test_a_run_that_could_not_be_told_is_counted_and_readiness_says_so_for_a_while(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, run = await _ended(database)
    tokens = Failing(AWAY, AWAY, AWAY)
    made, counted = await _sent(database, tokens, run)
    assert (counted, tokens.asked, tokens.recorded) == ("failed", 3, [])
    with pytest.raises(Degraded, match="runs go on, and some leave no records"):
        await made.probe()
    monkeypatch.setattr(recorder, "SHOWN_SECONDS", 0.0)
    later, _ = await _sent(database, Failing(AWAY, AWAY, AWAY), run)
    await later.probe()


async def test_a_refusal_is_no_fault_and_is_not_tried_again(database: Database) -> None:
    one, run = await _ended(database)
    tokens = Failing(KeyRevoked())
    made, counted = await _sent(database, tokens, run)
    assert (counted, tokens.asked) == ("refused", 1)
    await made.probe()
    gone = RunEnd("grant", run.thread_id, "run_gone")
    assert (await _sent(database, tokens, gone))[1] == "refused", "its thread was deleted meanwhile"
    assert one.tokens.recorded == tokens.recorded == []


async def test_what_waits_is_bounded_and_what_is_not_told_when_the_process_ends_is_counted(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, run = await _ended(database)
    monkeypatch.setattr(recorder, "MOST_WAITING", 1)
    monkeypatch.setattr(recorder, "CLOSE_SECONDS", 0.0)
    asked = asyncio.Event()

    class Hanging(FixedTokens):
        async def record(self, grant: str, run: Run, sources: object) -> None:
            asked.set()
            await asyncio.Event().wait()

    made = RunRecorder(database, Hanging())
    before = _count("no_memory"), _count("closed")
    made.submit(run)
    made.submit(run)
    await asked.wait()
    with pytest.raises(Degraded):
        await made.probe()
    await made.close()
    await made.close()
    assert (_count("no_memory"), _count("closed")) == (before[0] + 1, before[1] + 1)
