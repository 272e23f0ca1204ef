from __future__ import annotations

from services.agent.tests.payments import Till, pay
from services.agent.tests.runs_bench import bench

from agent.testing.fixed_tokens import FixedTokens, KeyRevoked
from servicekit.core.errors import NotReady
from servicekit.sql.database import Database


async def test_a_run_waits_for_a_service_that_is_away_and_loses_nothing(database: Database) -> None:
    one = bench(database, pay(1), "Done.", tools={"pay": Till()})
    one.model.failures = [NotReady("The gateway service can't be reached now.")]
    await one.define()
    run = await one.run()
    assert (run.status, run.waiting_on) == ("queued", "not_ready")
    one.clock.advance(5)
    await one.work()
    assert (await one.shown(run)).status == "completed"


async def test_a_revoked_key_stops_its_runs(database: Database) -> None:
    one = bench(database, "Hello.", tokens=FixedTokens(KeyRevoked()))
    await one.define()
    run = await one.run()
    assert run.status == "failed"
    assert run.error is not None
    assert run.error.code == "key_revoked"


async def test_a_run_that_cannot_go_on_is_failed_after_some_tries(database: Database) -> None:
    one = bench(database, "Hello.")

    async def broken(_: object) -> None:
        raise RuntimeError("a bug")

    one.model.before = broken
    await one.define()
    run = await one.start()
    for _ in range(20):
        one.clock.advance(100)
        if not await one.work():
            break
    ended = await one.shown(run)
    assert ended.status == "failed"
    assert ended.error is not None
    assert ended.error.code == "attempts_exhausted"
