"""Agents run while agent services, gateway and Redis are killed: each run ends rightly, and does nothing twice.

`make chaos-agents [RUNS=100] [KILLS=25] [SEED=n]`.
"""

from __future__ import annotations

import os
import random
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from tests.support.agent.processes import Fleet, agent_fleet

from contracts.agents.runs import Run, RunEvent
from groundwork.client import ApiError, Groundwork
from groundwork.errors import Unreachable

RUNS, KILLS, SEED = (int(os.environ.get(name, few)) for name, few in (("RUNS", "10"), ("KILLS", "5"), ("SEED", "1")))
SECONDS = 120.0 + 8.0 * (RUNS + KILLS)
VICTIMS = ("agent0", "agent1", "agent0", "agent1", "gateway", "valkey")
Answer = TypeVar("Answer")


@dataclass
class Followed:
    """A run, and the events that a client saw, across all breaks of its stream."""

    kind: str
    run: Run
    events: list[RunEvent] = field(default_factory=list)


def persistently(call: Callable[[], Answer]) -> Answer:
    """A call that is made again while the gateway or the agent is away."""
    until = time.monotonic() + SECONDS
    while True:
        try:
            return call()
        except Unreachable:
            pass
        except ApiError as error:
            if error.status < 500 and error.status not in (409, 429):
                raise
        assert time.monotonic() < until
        time.sleep(0.2)


def start_and_follow(client: Groundwork, number: int) -> Followed:
    kind = "keyed" if number % 2 else "plain"
    thread = persistently(lambda: client.threads.create()).id
    run = persistently(lambda: client.runs.start(thread, kind, f"{kind} {number}", key=f"start-{number}"))
    followed = Followed(kind, run)
    followed.events.extend(client.runs.events(thread, run.id, timeout=SECONDS))
    return followed


def keep_killing(fleet: Fleet, chance: random.Random, over: threading.Event, killed: list[str]) -> None:
    while len(killed) < KILLS and not over.wait(chance.uniform(0.3, 2.0)):
        name = chance.choice(VICTIMS)
        if name.startswith("agent") and chance.random() < 0.2:
            fleet.stop(name)
            fleet.start(name)  # a stop between the kills, which counts for none
            fleet.wait_ready(name)
            continue
        fleet.kill(name)
        killed.append(name)
        over.wait(chance.uniform(0.0, 1.0))
        fleet.start(name)
        if name != "valkey":
            fleet.wait_ready(name)


def define(client: Groundwork, far: str) -> None:
    for kind, honours in (("keyed", True), ("plain", False)):
        tool = {"type": "http_post", "hosts": [far], "honours_key": honours}
        client.agents.save(kind, {"tools": [tool, "calculator"]})


def test_every_run_ends_rightly_and_does_nothing_twice(tmp_path: Path) -> None:
    chance, killed, over = random.Random(SEED), [], threading.Event()
    with agent_fleet(tmp_path) as fleet, fleet.client() as client, ThreadPoolExecutor(12) as pool:
        define(client, f"127.0.0.1:{fleet.ports['far']}")
        killer = threading.Thread(target=keep_killing, args=(fleet, chance, over, killed))
        killer.start()
        try:
            futures = []
            for number in range(RUNS):
                futures.append(pool.submit(start_and_follow, client, number))
                if number * KILLS > (len(killed) + 2) * RUNS:  # kills and runs go along
                    until = time.monotonic() + 60
                    while number * KILLS > (len(killed) + 2) * RUNS and time.monotonic() < until:
                        time.sleep(0.1)
            followed = [future.result(timeout=SECONDS) for future in futures]
        finally:
            killer.join(SECONDS)
            over.set()
        sys.stdout.write(f"{RUNS} runs, {len(killed)} kills: {killed}\n")
        check_ends(client, followed)
        check_charges(fleet, client, followed)
        check_effects(fleet, followed)
        check_streams(client, followed)


def check_ends(client: Groundwork, followed: list[Followed]) -> None:
    for one in followed:
        ended = persistently(lambda one=one: client.runs.get(one.run.thread_id, one.run.id))
        number = one.run.input.split()[1]
        assert (ended.status, ended.output) == ("completed", f"Run {number} is done."), ended
        assert (ended.steps, ended.tool_calls) == (4, 3)
    taken_up = sum(any(event.type == "run.restarted" for event in one.events) for one in followed)
    sys.stdout.write(f"{taken_up} runs were taken up again\n")
    assert taken_up or KILLS < 20, "of so many kills some must have met an agent in the middle of runs"


def check_charges(fleet: Fleet, client: Groundwork, followed: list[Followed]) -> None:
    """What a run says that it used is what the ledger has of it, also of steps whose agent or gateway was killed.

    A call of a killed gateway is held as it was let in for until another one bills it so.
    """
    told = "SELECT prompt_tokens, completion_tokens, cost_nano_usd FROM {} WHERE parent_id = ?"
    with sqlite3.connect(fleet.folder / "gateway" / "gateway.sqlite") as ledger:
        for one in followed:
            used = client.runs.get(one.run.thread_id, one.run.id).usage
            rows = [
                row for table in ("usage", "reservations") for row in ledger.execute(told.format(table), [one.run.id])
            ]
            sums = tuple(sum(row[at] for row in rows) for at in range(3))
            assert used.cost_usd is not None
            assert (used.prompt_tokens, used.completion_tokens, int(used.cost_usd * 10**9)) == sums, (one.run.id, rows)


def check_effects(fleet: Fleet, followed: list[Followed]) -> None:
    """A keyed effect happened exactly once, however often it was called; a plain one was called at most once."""
    unknown = 0
    for one in followed:
        keys = [f"{one.run.id}:{step}:0" for step in (1, 3)]
        if one.kind == "keyed":
            assert [fleet.far.effects[key] for key in keys] == [1, 1], (one.run.id, fleet.far.calls)
        else:
            assert all(fleet.far.calls[key] <= 1 for key in keys), (one.run.id, fleet.far.calls)
            results = (event.data for event in one.events if event.type == "tool_result")
            told = [result for result in results if result["name"] == "http_post"]
            for key, result in zip(keys, told, strict=True):
                assert result["failed"] or fleet.far.effects[key] == 1  # no success was told that did not happen
            unknown += sum(result["unknown"] for result in told)
    assert set(fleet.far.effects) <= {f"{one.run.id}:{step}:0" for one in followed for step in (1, 3)}
    sys.stdout.write(
        f"{sum(fleet.far.effects.values())} effects in {sum(fleet.far.calls.values())} calls, {unknown} unknown" + "\n"
    )


def check_streams(client: Groundwork, followed: list[Followed]) -> None:
    for one in followed:
        assert [event.id for event in one.events] == list(range(1, len(one.events) + 1))
        assert one.events[-1].type == "run.completed"
        again = list(client.runs.events(one.run.thread_id, one.run.id))
        assert again == one.events
