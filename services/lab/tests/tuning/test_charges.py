from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from services.lab.tests.tuning.learning import ACME, Bench, CheckedMethod, a_token
from sqlalchemy import select

from contracts.core.errors import ErrorBody
from lab.metrics import CHARGE_OLDEST, CHARGES_OWED
from lab.tables import TUNING_CHARGES
from lab.tuning.charges import LONGEST_PAUSE
from lab.tuning.errors import TrainerDied, TrainingFailed
from servicekit.core.clock import ManualClock
from servicekit.core.errors import NotReady, PeerError
from servicekit.sql.database import rows_of

AWAY = NotReady("The gateway is away.")


async def _waiting(bench: Bench) -> list[str]:
    rows = await bench.opened.database.read(rows_of(select(TUNING_CHARGES)))
    return [row["job_id"] for row in rows]


async def test_what_a_job_has_learnt_is_charged_once(bench: Bench) -> None:
    await bench.save()
    made = await bench.start()
    await bench.work()
    assert bench.ledger.charged == {made.id: ("grant", "smollm2", 300)}
    assert (bench.ledger.asked, await _waiting(bench)) == (1, [])


async def test_what_is_learnt_on_default_has_the_price_of_the_model_that_it_stands_for(bench: Bench) -> None:
    bench.method.resolves = {"default": "smollm2"}
    await bench.save()
    made = await bench.start(model="default")
    await bench.work()
    assert (await bench.get(made.id)).model == "default"
    assert bench.ledger.charged == {made.id: ("grant", "smollm2", 300)}


async def test_a_job_that_fails_is_charged_what_it_read_until_then(bench: Bench) -> None:
    bench.method.more = 40
    bench.method.fails = lambda _: TrainingFailed("loss_not_finite", "Choose a smaller rate.")
    await bench.save()
    made = await bench.start()
    await bench.work()
    assert (await bench.get(made.id)).status == "failed"
    assert bench.ledger.charged == {made.id: ("grant", "smollm2", 240)}


async def test_steps_that_are_made_again_after_an_interruption_are_charged_once(
    bench: Bench, clock: ManualClock
) -> None:
    bench.method.fails = lambda attempt: TrainerDied(-9) if attempt == 1 else None
    await bench.save()
    made = await bench.start()
    await bench.work()
    assert ((await bench.get(made.id)).status, bench.ledger.charged) == ("queued", {})
    clock.advance(600)
    await bench.work()
    assert bench.method.works[1].known_tokens == 200
    found = await bench.get(made.id)
    assert (found.trained_tokens, bench.ledger.charged[made.id][2]) == (300, 300)


async def test_a_job_that_is_cancelled_early_in_another_attempt_owes_what_the_first_one_read(
    bench: Bench, clock: ManualClock
) -> None:
    bench.method.fails = lambda attempt: TrainerDied(-9) if attempt == 1 else None
    await bench.save()
    made = await bench.start()
    await bench.work()
    bench.method.began.clear()
    bench.method.open.clear()
    clock.advance(600)
    working = asyncio.create_task(bench.work())
    await bench.method.began.wait()
    await bench.opened.tuning.cancel(ACME, made.id, a_token)
    await working
    assert (await bench.get(made.id)).status == "cancelled"
    assert bench.ledger.charged == {made.id: ("grant", "smollm2", 200)}


async def test_a_job_that_is_cancelled_while_it_waits_owes_what_it_read(bench: Bench) -> None:
    bench.method.fails = lambda _: TrainerDied(-9)
    await bench.save()
    made = await bench.start()
    await bench.work()
    found = await bench.opened.tuning.cancel(ACME, made.id, a_token)
    assert (found.status, bench.ledger.charged[made.id]) == ("cancelled", ("grant", "smollm2", 200))


@pytest.mark.parametrize("cancelled", [False, True])
async def test_what_a_parity_check_reads_is_charged_once_also_where_it_is_broken_off(
    bench: Bench, checked: CheckedMethod, clock: ManualClock, cancelled: bool
) -> None:
    checked.breaks = TrainerDied(-9)
    await bench.save()
    made = await bench.start()
    await bench.work()
    assert ((await bench.get(made.id)).status, bench.ledger.charged) == ("queued", {})
    if cancelled:
        await bench.opened.tuning.cancel(ACME, made.id, a_token)
    else:
        checked.breaks = None
        clock.advance(600)
        await bench.work()
    read = 300 + 3 * 2 * 6
    assert ((await bench.get(made.id)).trained_tokens, bench.ledger.charged[made.id][2]) == (read, read)


@pytest.mark.parametrize("ends", ["succeeded", "failed", "cancelled"])
async def test_a_gateway_that_is_away_at_the_end_has_it_once_it_is_back(bench: Bench, ends: str) -> None:
    """Also where the job is deleted until then."""
    await bench.save()
    made = await bench.start()
    bench.ledger.away = AWAY
    wrong = TrainingFailed("loss_not_finite", "Choose a smaller rate.")
    bench.method.fails = lambda _: {"failed": wrong, "cancelled": TrainerDied(-9)}.get(ends)
    await bench.work()
    if ends == "cancelled":
        await bench.opened.tuning.cancel(ACME, made.id, a_token)
    assert (await bench.get(made.id)).status == ends
    await bench.opened.tuning.delete(ACME, made.id, a_token)
    await bench.opened.tuning.charges.send_due()
    assert (bench.ledger.charged, await _waiting(bench)) == ({}, [made.id])
    bench.ledger.away = None
    await bench.opened.tuning.charges.send_due()
    read = 300 if ends == "succeeded" else 200
    assert (bench.ledger.charged, await _waiting(bench)) == ({made.id: ("grant", "smollm2", read)}, [])


async def test_an_answer_that_is_lost_is_asked_for_again(bench: Bench) -> None:
    await bench.save()
    made = await bench.start()
    bench.ledger.loses_answer = AWAY
    await bench.work()
    assert ((await bench.get(made.id)).status, await _waiting(bench)) == ("succeeded", [made.id])
    bench.ledger.loses_answer = None
    await bench.opened.tuning.charges.send_due()
    assert (bench.ledger.charged, await _waiting(bench)) == ({made.id: ("grant", "smollm2", 300)}, [])


async def test_what_the_gateway_refuses_holds_up_no_other_and_is_tried_more_and_more_rarely(
    bench: Bench, clock: ManualClock
) -> None:
    await bench.save()
    refused = PeerError(401, ErrorBody(code="invalid_delegation", message="Expired.", type="authentication"))
    bench.ledger.away = refused
    for _ in range(2):
        await bench.start()
        await bench.work()
    tries = bench.ledger.asked
    clock.advance(10)
    await bench.opened.tuning.charges.send_due()
    assert bench.ledger.asked == tries + 2
    for _ in range(24 * 6):
        clock.advance(600)
        await bench.opened.tuning.charges.send_due()
    assert bench.ledger.asked < tries + 30
    bench.ledger.away = None
    clock.advance(LONGEST_PAUSE / timedelta(seconds=1))
    await bench.opened.tuning.charges.send_due()
    assert (len(bench.ledger.charged), await _waiting(bench)) == (2, [])


async def test_a_tenant_that_is_deleted_owes_what_its_jobs_have_read(bench: Bench) -> None:
    bench.method.fails = lambda _: TrainerDied(-9)
    await bench.save()
    made = await bench.start()
    await bench.work()
    await bench.opened.tuning.delete_tenant("acme")
    assert (bench.ledger.charged, await _waiting(bench)) == ({made.id: ("grant", "smollm2", 200)}, [])


async def test_how_many_charges_are_owed_and_for_how_long_is_measured(bench: Bench, clock: ManualClock) -> None:
    await bench.save()
    bench.ledger.away = PeerError(401, ErrorBody(code="invalid_delegation", message="No.", type="authentication"))
    for _ in range(2):
        await bench.start()
        await bench.work()
        clock.advance(3_600)
    await bench.opened.tuning.charges.send_due()
    assert (CHARGES_OWED._value.get(), CHARGE_OLDEST._value.get()) == (2, 7_200)
    bench.ledger.away = None
    clock.advance(LONGEST_PAUSE / timedelta(seconds=1))
    await bench.opened.tuning.charges.send_due()
    assert (CHARGES_OWED._value.get(), CHARGE_OLDEST._value.get()) == (0, 0)
