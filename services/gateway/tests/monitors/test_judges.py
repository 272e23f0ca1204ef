from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from services.gateway.tests.installation import Installation
from services.gateway.tests.monitors.answers import record_answers, told
from services.gateway.tests.usage.recording import record_of, write_records
from sqlalchemy import insert, select

from contracts.access.keys import KeyPatch
from contracts.core.errors import ErrorBody
from contracts.improvement.live_judges import LIVE_RUBRIC
from contracts.improvement.monitors import MonitorCreate, MonitorVerdicts
from gateway.metrics import MONITOR_VERDICTS
from gateway.monitors import verdicts as module
from gateway.monitors.figures import Scope, Windows
from gateway.monitors.judges import TURN_CHARS, MonitorJudges
from gateway.monitors.verdicts import INTERRUPTED, LEASE, TRIES
from gateway.records.answers import RecordedAnswers
from gateway.records.repository import Reader, RecordRepository
from gateway.storage.audit_log import Actor
from gateway.storage.tables import feedback, monitor_verdicts
from servicekit.core.clock import ManualClock
from servicekit.core.errors import PeerError

PATH = "/v1/judgements"
SCOPES = ["chat", "evaluations:write", "records:read"]
ACME = Scope("acme")
RIGHT, WRONG = {"right": True, "reason": "as the passage says"}, {"right": False, "reason": "the passage says 30"}
NO_VERDICT = {"right": None, "error": {"type": "internal", "code": "no_verdict", "message": "None."}}


def _error(status: int, code: str) -> PeerError:
    return PeerError(status, ErrorBody(type="internal", code=code, message="Not now."))


class Bench:
    """A monitor whose judge asks a scripted lab."""

    def __init__(self, installation: Installation) -> None:
        self.deps, self.lab, self.verifier = installation.deps, installation.lab, installation.verifier
        self.key_id = ""
        self.installation = installation

    @property
    def judges(self) -> MonitorJudges:
        """Of a process that begins now."""
        answers = RecordedAnswers(RecordRepository(self.deps.database, self.deps.clock))
        return MonitorJudges(self.deps.monitors, answers, self.deps.authenticator, self.deps.issuer, self.lab)

    async def watch(self, **judge: Any) -> None:
        asked = {"model": "wise", "sample_percent": 100, **judge}
        self.key_id = (await self.installation.principal(scopes=SCOPES)).key_id
        await self.make(asked)

    async def make(self, judge: dict[str, Any]) -> None:
        spec = MonitorCreate.model_validate({"name": "m", "metrics": {"judge_right": 0.9}, "judge": judge})
        await self.deps.monitors.create_monitor(ACME, spec, Actor(self.key_id))

    async def work(self) -> int:
        """Until nothing is left to do now; how many answers were begun with."""
        before = len(self.lab.asked_for(PATH))
        while await self.judges.judge_some():
            pass
        return len(self.lab.asked_for(PATH)) - before

    async def said(self) -> MonitorVerdicts:
        found = (await self.deps.monitors.get_monitor(ACME, "m")).verdicts
        assert found is not None
        return found

    async def states(self) -> dict[str, str]:
        rows = await self.deps.database.read(
            lambda connection: connection.execute(select(monitor_verdicts)).mappings().all()
        )
        return {row["record_id"]: row["state"] for row in rows}


@pytest.fixture
def bench(installation: Installation) -> Bench:
    return Bench(installation)


async def test_each_answer_is_judged_once_with_question_and_passages_by_the_monitors_key(bench: Bench) -> None:
    await bench.watch()
    bench.lab.answers(PATH, RIGHT)
    source = {"number": 1, "collection": "a", "document_id": "d", "revision": 1, "chunk_id": "c", "text": "25 days."}
    facts = {"question": "How many days?", "answer": "25.", "model": "rag:a", "report": told(), "sources": [source]}
    await record_answers(bench.deps.database, bench.deps.clock.now(), 1, "one", **facts)
    assert (await bench.work(), await bench.work()) == (1, 0)
    asked = bench.lab.asked_for(PATH)[0]
    assert asked.json["judge"] == {"model": "wise", "rubric": LIVE_RUBRIC}
    assert asked.json["question"]["turns"] == [{"role": "user", "content": "How many days?"}]
    assert (asked.json["answer"], asked.json["passages"]) == ("25.", ["25 days."])
    claims = bench.verifier.verify(asked.token, "lab")
    assert (claims.tenant, claims.key_id, claims.request_id) == ("acme", bench.key_id, asked.json["name"])
    assert bench.verifier.verify(asked.headers["Groundwork-Grant"], "grants").key_id == bench.key_id
    assert (await bench.said()).model_dump(include={"right", "wrong", "failed", "error", "waits"}) == {
        "right": 1, "wrong": 0, "failed": 0, "error": None, "waits": False,
    }  # fmt: skip


async def test_verdicts_are_a_measure_that_falls_and_a_judge_that_fails_is_no_number(bench: Bench) -> None:
    await bench.watch()
    await record_answers(bench.deps.database, bench.deps.clock.now(), 36, "answer")
    bench.lab.answers(PATH, *[NO_VERDICT] * 5, *[RIGHT] * 6, WRONG)
    failed = MONITOR_VERDICTS.labels("failed")._value.get()
    assert await bench.work() == 36
    assert MONITOR_VERDICTS.labels("failed")._value.get() == failed + 5
    said = await bench.said()
    assert (said.right, said.wrong, said.failed, said.error, said.waits) == (6, 25, 5, "no_verdict", False)
    await bench.deps.monitors.look()
    shown = await bench.deps.monitors.get_monitor(ACME, "m")
    figure = shown.figures["judge_right"]
    assert (figure.answers, figure.value, figure.state) == (31, pytest.approx(6 / 31), "fallen")
    assert [(fall.metric, fall.expected) for fall in shown.falls] == [("judge_right", 0.9)]
    worst = await bench.deps.monitors.list_worst(ACME, "m", "judge_right", 100)
    assert len(worst) == 25
    assert {one.reason for one in worst} == {"the passage says 30"}


@pytest.mark.parametrize(
    "facts",
    [
        {"mode": "metadata"},
        {"truncated": True},
        {"error_type": "internal"},
        {"answer": ""},
        {"tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
        {"report": told(abstained=True)},
        {"tenant": "other"},
        {"finish_reason": "length"},
    ],
    ids=str,
)
async def test_what_is_no_whole_answer_in_words_is_not_judged(bench: Bench, facts: dict[str, Any]) -> None:
    await bench.watch()
    bench.lab.answers(PATH, RIGHT)
    await record_answers(bench.deps.database, bench.deps.clock.now(), 3, "none", **facts)
    assert await bench.work() == 0
    assert set((await bench.states()).values()) <= {"skipped"}


async def test_no_more_are_judged_than_the_share_the_most_and_the_budget(bench: Bench, clock: ManualClock) -> None:
    bench.lab.answers(PATH, RIGHT)
    await record_answers(bench.deps.database, clock.now(), 100, "many")
    await bench.watch(sample_percent=20, most=6)
    assert await bench.work() == 6
    assert (await bench.said()).limited == "most"
    small = set(await bench.states())
    await bench.deps.monitors.delete_monitor(ACME, "m", Actor(bench.key_id))
    assert await bench.states() == {}
    clock.advance(1)
    await bench.make({"model": "wise", "sample_percent": 20})
    assert 10 < await bench.work() < 35, "a fifth of 100"
    assert small <= set(await bench.states()), "the same are drawn"
    clock.advance(86_400)
    await record_answers(bench.deps.database, clock.now(), 5, "next")
    await bench.deps.monitors.delete_monitor(ACME, "m", Actor(bench.key_id))
    await bench.make({"model": "wise", "sample_percent": 100, "budget_usd": "0.000001"})
    one = await bench.deps.monitors.repository.get_monitor(ACME, "m")
    about = {"key_id": bench.key_id, "started_at": clock.now(), "cost_nano_usd": 1000}
    await write_records(bench.deps.database, record_of(id="c1", request_id=f"{module.calls_of(one)}.a.1.1", **about))
    assert await bench.work() == 0
    said = await bench.said()
    assert (said.limited, said.cost_usd) == ("budget_usd", "0.000001")


@pytest.mark.parametrize("status", [401, 404, 429, 503, None], ids=str)
async def test_what_says_nothing_of_the_answer_is_waited_for_and_keeps_the_judge_from_others(
    bench: Bench, clock: ManualClock, status: int | None
) -> None:
    await bench.watch()
    await record_answers(bench.deps.database, clock.now(), 3, "waits")
    for _ in range(TRIES + 2):
        if status is not None:
            bench.lab.answers(PATH, _error(status, "away"))
        assert await bench.work() == 1
        said = await bench.said()
        assert (said.waits, said.error) == (True, "away" if status else "lab_unreachable")
        clock.advance(61)
    bench.lab.answers(PATH, RIGHT)
    assert await bench.work() == 3
    said = await bench.said()
    assert (said.right, said.failed, said.error, said.waits) == (3, 0, None, False)


async def test_a_fault_counts_against_the_answer_and_ends_as_a_failure(bench: Bench, clock: ManualClock) -> None:
    await bench.watch()
    await record_answers(bench.deps.database, clock.now(), 2, "faulty")
    bench.lab.answers(PATH, *[_error(500, "internal")] * TRIES, RIGHT)
    for _ in range(TRIES - 1):
        assert await bench.work() == 1
        clock.advance(61)
    assert await bench.work() == 2
    said = await bench.said()
    assert (said.right, said.failed, said.error) == (1, 1, "internal")


async def test_an_answer_whose_gateway_died_is_asked_again_and_a_late_verdict_changes_nothing(
    bench: Bench, clock: ManualClock
) -> None:
    await bench.watch()
    await record_answers(bench.deps.database, clock.now(), 1, "lost")
    one = await bench.deps.monitors.repository.get_monitor(ACME, "m")
    assert one.spec.judge is not None
    verdicts = bench.deps.monitors.verdicts
    lost = await verdicts.take(one, one.spec.judge)
    assert lost is not None
    bench.lab.answers(PATH, RIGHT)
    assert await bench.work() == 0, "it is with one who may live"
    clock.advance(LEASE.total_seconds() + 1)
    assert await bench.work() == 1
    assert not await verdicts.keep(one, lost, "wrong", "late")
    assert await bench.states() == {"chatcmpl_lost0": "right"}


async def test_an_answer_that_everyone_dies_of_has_failed_after_some_tries(bench: Bench, clock: ManualClock) -> None:
    await bench.watch()
    await record_answers(bench.deps.database, clock.now(), 1, "poison")
    one = await bench.deps.monitors.repository.get_monitor(ACME, "m")
    assert one.spec.judge is not None
    for _ in range(TRIES):
        assert await bench.deps.monitors.verdicts.take(one, one.spec.judge) is not None
        clock.advance(LEASE.total_seconds() + 1)
    assert await bench.deps.monitors.verdicts.take(one, one.spec.judge) is None
    assert (await bench.said()).error == INTERRUPTED


async def test_a_key_that_is_revoked_or_may_read_no_records_any_more_judges_nothing(bench: Bench) -> None:
    bench.key_id = (await bench.installation.principal(scopes=["chat", "evaluations:write"])).key_id
    await bench.make({"model": "wise", "sample_percent": 100})
    await record_answers(bench.deps.database, bench.deps.clock.now(), 1, "private")
    bench.lab.answers(PATH, RIGHT)
    assert await bench.work() == 0
    assert ((await bench.said()).waits, (await bench.said()).error) == (True, "missing_scope")


async def test_two_replicas_never_have_the_same_answer(bench: Bench) -> None:
    await bench.watch()
    await record_answers(bench.deps.database, bench.deps.clock.now(), 8, "shared")
    bench.lab.answers(PATH, RIGHT)
    while any(await asyncio.gather(*(bench.judges.judge_some() for _ in range(3)))):
        pass
    asked = [one.json["question"]["id"] for one in bench.lab.asked_for(PATH)]
    assert len(asked) == len(set(asked)) == 8


async def test_verdicts_go_with_their_record_and_those_of_other_windows_are_no_part_of_this_one(
    bench: Bench, clock: ManualClock
) -> None:
    await bench.watch()
    bench.lab.answers(PATH, RIGHT)
    await record_answers(bench.deps.database, clock.now(), 2, "kept")
    await bench.work()
    records = RecordRepository(bench.deps.database, clock)
    await records.delete_record(Reader("acme"), "chatcmpl_kept0", Actor("k"))
    assert await bench.states() == {"chatcmpl_kept1": "right"}
    clock.advance(86_400)
    await record_answers(bench.deps.database, clock.now() - timedelta(days=1), 1, "yesterday")
    assert await bench.work() == 0
    assert (await bench.said()).right == 0
    one = await bench.deps.monitors.repository.get_monitor(ACME, "m")
    assert Windows.at(clock.now(), one.spec).start <= clock.now()


@pytest.mark.parametrize(("count", "enough"), [(29, False), (32, True)])
async def test_agreement_with_people_who_rated_the_same_answers_is_said_once_there_are_enough(
    bench: Bench, count: int, enough: bool
) -> None:
    await bench.watch()
    now = bench.deps.clock.now()
    await record_answers(bench.deps.database, now, count, "rated")
    verdicts = {f"chatcmpl_rated{number}": "right" if number % 2 else "wrong" for number in range(count)}
    known = {"monitor": "m", "tenant": "acme", "at": now, "tries": 1, "lease_until": now}
    given = [{**known, "record_id": answer, "state": state} for answer, state in verdicts.items()]
    same = {"tenant": "acme", "key_id": "k", "part": "answer", "labels": [], "collections": "", "created_at": now}

    def said(answer: str, person: str, verdict: int, tenant: str = "acme") -> dict[str, Any]:
        known = {**same, "id": f"{answer}{person}{tenant}", "tenant": tenant, "person": person, "updated_at": now}
        return {**known, "answer_id": answer, "verdict": verdict}

    rows = [said(answer, "ann", 1 if state == "right" else -1) for answer, state in verdicts.items()]
    rows[0]["verdict"] = -rows[0]["verdict"]
    last = rows[-1]["answer_id"]
    rows += [said(last, "bob", -rows[-1]["verdict"]), said(rows[1]["answer_id"], "eve", -1, "other")]
    async with bench.deps.database.write() as connection:
        await connection.execute(insert(monitor_verdicts), given)
        await connection.execute(insert(feedback), rows)
    rated = (await bench.said()).rated
    assert (rated.answers, rated.agreed, rated.enough) == (count - 1, count - 2, enough)
    if enough:
        kappa, low, high = rated.kappa or 0.0, rated.low or 0.0, rated.high or 0.0
        assert kappa == pytest.approx(0.935, abs=0.01)
        assert 0.5 < low < kappa < high <= 1
    else:
        assert (rated.kappa, rated.low) == (None, None)


async def test_a_limited_keys_judge_reads_the_answers_of_its_own_calls_alone(bench: Bench) -> None:
    bench.key_id = (await bench.installation.principal(scopes=SCOPES, models=["m"])).key_id
    asked = {"name": "m", "judge": {"model": "m", "sample_percent": 100}}
    own = Scope("acme", bench.key_id)
    await bench.deps.monitors.create_monitor(own, MonitorCreate.model_validate(asked), Actor(bench.key_id))
    bench.lab.answers(PATH, RIGHT)
    now = bench.deps.clock.now()
    await record_answers(bench.deps.database, now, 2, "theirs")
    await record_answers(bench.deps.database, now, 1, "mine", key_id=bench.key_id)
    await bench.work()
    assert await bench.states() == {"chatcmpl_mine0": "right"}


async def test_a_key_that_was_limited_since_judges_nothing_of_all_keys_answers(bench: Bench) -> None:
    await bench.watch()
    await record_answers(bench.deps.database, bench.deps.clock.now(), 1, "private")
    bench.lab.answers(PATH, RIGHT)
    await bench.deps.keys.update_key(bench.key_id, KeyPatch(models=["wise"]), Actor(bench.key_id))
    assert await bench.work() == 0
    assert ((await bench.said()).waits, (await bench.said()).error) == (True, "judge_key_narrowed")


async def test_a_message_that_begins_with_blanks_keeps_no_other_answer_from_its_judge(bench: Bench) -> None:
    await bench.watch()
    bench.lab.answers(PATH, RIGHT)
    blanks = " \n" * TURN_CHARS + "How many days?"
    await record_answers(bench.deps.database, bench.deps.clock.now(), 1, "blank", question=blanks)
    await record_answers(bench.deps.database, bench.deps.clock.now(), 1, "plain")
    assert await bench.work() == 2
    asked = {one.json["question"]["turns"][-1]["content"] for one in bench.lab.asked_for(PATH)}
    assert "How many days?" in asked


async def test_a_slow_judge_keeps_no_other_monitor_waiting(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await bench.watch()
    await record_answers(bench.deps.database, bench.deps.clock.now(), 3, "theirs", tenant="other")
    await record_answers(bench.deps.database, bench.deps.clock.now(), 2, "mine")
    other = (await bench.installation.principal(tenant="other", scopes=SCOPES)).key_id
    quick = {"name": "quick", "metrics": {"judge_right": 0.9}, "judge": {"model": "wise", "sample_percent": 100}}
    await bench.deps.monitors.create_monitor(Scope("other"), MonitorCreate.model_validate(quick), Actor(other))
    asked: list[str] = []
    all_of_theirs = asyncio.Event()

    async def judged(_: Any, one: Any, *about: Any) -> None:
        asked.append(one.scope.tenant)
        if asked.count("other") == 3:
            all_of_theirs.set()
        if one.scope.tenant == "acme":
            await asyncio.Event().wait()

    monkeypatch.setattr(MonitorJudges, "_judge", judged)
    running = asyncio.create_task(bench.judges.run())
    async with asyncio.timeout(60):
        await all_of_theirs.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert asked.count("acme") == 1
