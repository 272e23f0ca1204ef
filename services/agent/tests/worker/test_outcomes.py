from __future__ import annotations

from services.agent.tests.payments import Till, pay
from services.agent.tests.runs_bench import bench

from agent.testing.fixed_tokens import FixedTokens, KeyRevoked
from agent.worker.deadlines import end_overdue
from contracts.models.chat import ChatRequest
from servicekit.core.errors import NotReady, UpstreamFailed
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


async def test_waiting_for_a_model_takes_of_the_time_of_a_run_and_ends_with_it(database: Database) -> None:
    one = bench(database, "Hello.")
    one.model.failures = [UpstreamFailed("The model is away.") for _ in range(100)]
    await one.define(limits={"seconds": 15})
    run, began = await one.start(), one.clock.now()
    while (await one.shown(run)).status != "limit_reached":
        assert (one.clock.now() - began).total_seconds() <= 17
        await one.work()
        one.clock.advance(0.25)
    ended = await one.shown(run)
    assert (ended.status, ended.limit, ended.error) == ("limit_reached", "seconds", None)
    assert (one.clock.now() - began).total_seconds() >= 13, "it was tried until then"
    assert len(one.model.requests) < 20


async def test_a_run_whose_time_is_over_while_no_slot_is_free_ends_all_the_same(database: Database) -> None:
    one = bench(database, pay(1), "Paid.", tools={"pay": Till()})

    async def away_after_the_call(request: ChatRequest) -> None:
        if len(request.messages) > 2:
            raise UpstreamFailed("The model is away.")

    one.model.before = away_after_the_call
    await one.define(limits={"seconds": 15})
    run = await one.run()
    assert run.status == "queued"
    store, checkpoints = one.queue.store, one.agents.checkpoints
    await end_overdue(store, checkpoints, one.agents.recorder)
    assert (await one.shown(run)).status == "queued", "its time is not over"
    one.clock.advance(15)
    await end_overdue(store, checkpoints, one.agents.recorder)
    ended = await one.shown(run)
    assert (ended.status, ended.limit) == ("limit_reached", "seconds")
    assert 15 <= ended.active_seconds < 17
    assert [event.type for event in await one.events(run)][-1] == "run.limit_reached"
    assert [said.content for said in await one.history(run.thread_id) if said.role == "tool"] == ["paid 1"]
    assert not await one.work()


async def test_what_a_call_that_failed_has_used_counts_for_the_limits(database: Database) -> None:
    one = bench(database, "Hello.")
    failed = UpstreamFailed("The model said what nobody can read.")
    failed.usage = {"prompt_tokens": 900, "completion_tokens": 200, "total_tokens": 1100}
    one.model.failures = [failed, failed, failed]
    await one.define(limits={"tokens": 2000})
    run = await one.run()
    assert (run.status, run.usage.total_tokens) == ("queued", 1100)
    one.clock.advance(5)
    await one.work()
    ended = await one.shown(run)
    assert (ended.status, ended.limit) == ("limit_reached", "tokens")
    assert (ended.usage.total_tokens, ended.usage.model_calls) == (2200, 2)
