from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from services.lab.tests.tuning.learning import ACME, Bench, CheckedMethod, a_token, better

from contracts.improvement.question_sets import QuestionSetCreate
from contracts.improvement.tuning import NotPublished
from lab.tuning.errors import ArtifactMissing, PublicationRefused, TrainerDied
from lab.tuning.method import Trained, Work
from lab.tuning.publication import Refused
from servicekit.core.clock import ManualClock
from servicekit.core.errors import Forbidden, NotReady


async def test_what_is_better_is_served_under_its_suffix_to_its_tenant(bench: Bench) -> None:
    await bench.save()
    made = await bench.start(suffix="support")
    await bench.work()
    found = await bench.get(made.id)
    assert (found.status, found.fine_tuned_model) == ("succeeded", "smollm2+acme.support")
    assert found.groundwork.not_published is None
    assert bench.publisher.served == {"smollm2+acme.support": made.id}
    assert bench.publisher.contents == {"smollm2+acme.support": b"GGUF" * 10}


async def test_what_has_forgotten_is_kept_and_not_served(bench: Bench) -> None:
    def forgets(work: Work) -> Trained:
        before = {one.id: 1.0 + at / 100 for at, one in enumerate(work.general)}
        after = {name: loss * 2 for name, loss in before.items()}
        return replace(better(work), general_before=before, general_after=after)

    bench.method.outcome = forgets
    await bench.save()
    others = [{"question": f"What colour has thing {n}?", "answers": ["red"]} for n in range(9)]
    wanted = QuestionSetCreate.model_validate({"name": "general", "items": [*others, {"question": "Who knows?"}]})
    await bench.opened.question_sets.save(ACME, wanted)
    made = [await bench.start(groundwork=more) for more in ({}, {"general_file": "set:general"})]
    for _ in made:
        await bench.work()
    for one in made:
        found = await bench.get(one.id)
        why = found.groundwork.not_published
        assert why is not None
        assert (found.groundwork.verdict, why.code) == ("better", "worse_in_general")
        assert found.groundwork.general is not None
        assert found.groundwork.general.startswith("worse: +")
    assert bench.publisher.served == {}
    packaged, own = (len(work.general) for work in bench.method.works)
    assert (packaged >= 30, own) == (True, 9)


async def test_a_worker_that_dies_once_all_is_learnt_does_not_learn_it_again(bench: Bench, clock: ManualClock) -> None:
    await bench.save()
    made = await bench.start()
    bench.publisher.raises = NotReady("Inference is away.")
    await bench.work()
    found = await bench.get(made.id)
    assert (found.status, found.groundwork.verdict, found.groundwork.waiting_on) == ("queued", "better", "not_ready")
    bench.publisher.raises = None
    clock.advance(60)
    await bench.work("another")
    found = await bench.get(made.id)
    assert (found.status, found.fine_tuned_model) == ("succeeded", f"smollm2+acme.{made.id}")
    assert len(bench.method.works) == 1


async def test_what_could_not_be_published_for_long_is_kept_with_the_reason(bench: Bench, clock: ManualClock) -> None:
    await bench.save()
    made = await bench.start()
    bench.publisher.raises = NotReady("Inference is away.")
    for _ in range(100):
        if (await bench.get(made.id)).status == "succeeded":
            break
        await bench.work()
        clock.advance(600)
    why = (await bench.get(made.id)).groundwork.not_published
    assert why is not None
    assert why.code == "not_ready"
    assert await bench.learnt(made.id) == b"GGUF" * 10


async def test_a_refusal_of_inference_is_no_failure_of_the_job(bench: Bench) -> None:
    await bench.save()
    made = await bench.start()
    bench.publisher.raises = Refused(NotPublished(code="too_many_tuned_models", message="Remove one."))
    await bench.work()
    found = await bench.get(made.id)
    assert found.groundwork.not_published is not None
    assert (found.status, found.groundwork.not_published.code) == ("succeeded", "too_many_tuned_models")


async def test_what_an_earlier_attempt_published_goes_where_a_later_one_is_refused(bench: Bench) -> None:
    await bench.save()
    made = await bench.start(suffix="support")
    bench.publisher.served["smollm2+acme.support"] = made.id
    bench.publisher.raises = Refused(NotPublished(code="model_not_loaded", message="It does not answer."))
    await bench.work()
    assert ((await bench.get(made.id)).fine_tuned_model, bench.publisher.served) == (None, {})


async def test_a_job_that_is_cancelled_while_it_is_published_leaves_no_model(bench: Bench) -> None:
    await bench.save()
    made = await bench.start()
    bench.publisher.meanwhile = lambda: bench.opened.tuning.cancel(ACME, made.id, a_token)
    await bench.work()
    assert ((await bench.get(made.id)).status, bench.publisher.served) == ("cancelled", {})
    with pytest.raises(ArtifactMissing):
        await bench.opened.tuning.get_artifact(ACME, made.id)


async def test_a_tenant_that_is_deleted_while_its_job_is_published_leaves_no_model(bench: Bench) -> None:
    await bench.save()
    await bench.start()
    bench.publisher.meanwhile = lambda: bench.opened.tuning.delete_tenant("acme")
    await bench.work()
    assert bench.publisher.served == {}


@pytest.mark.parametrize("answer", [None, NotReady("The answer was lost.")])
async def test_what_reaches_inference_after_its_tenant_was_purged_is_withdrawn_with_the_token_of_before(
    bench: Bench, answer: Exception | None
) -> None:
    async def purged() -> None:
        await bench.opened.tuning.delete_tenant("acme")
        bench.grants.refused = Forbidden("The key was revoked.")
        if answer is not None:
            raise answer

    await bench.save()
    await bench.start()
    bench.publisher.meanwhile = purged
    await bench.work()
    assert bench.publisher.served == {}


async def test_both_models_are_asked_before_anybody_sees_the_tuned_one(bench: Bench, checked: CheckedMethod) -> None:
    await bench.save()
    made = await bench.start(suffix="support")
    await bench.work()
    candidate = f"smollm2+acme.candidate-{made.id}"
    assert bench.publisher.asked == ["smollm2"] * 6 + [candidate] * 6
    assert bench.publisher.served == {"smollm2+acme.support": made.id}
    found = await bench.get(made.id)
    assert found.groundwork.parity is not None
    assert found.groundwork.parity.startswith("passed: 94.")
    assert checked.checks == 1


async def test_questions_that_the_trainer_left_out_are_not_asked(bench: Bench, checked: CheckedMethod) -> None:
    def without_the_longest(work: Work) -> Trained:
        trained = better(work)
        left_out.append(work.held_out[2].id)
        before, after = (
            {name: loss for name, loss in figures.items() if name not in left_out}
            for figures in (trained.before, trained.after)
        )
        return replace(trained, before=before, after=after)

    left_out: list[str] = []
    checked.outcome = without_the_longest
    await bench.save()
    await bench.start()
    await bench.work()
    (work,) = checked.works
    assert checked.said == [one.id for one in work.held_out if one.id not in left_out]


async def test_a_worker_that_ends_while_it_declares_a_candidate_takes_it_away(
    bench: Bench, checked: CheckedMethod
) -> None:
    async def ends() -> None:
        working.cancel()
        await asyncio.sleep(0)

    await bench.save()
    await bench.start()
    bench.publisher.meanwhile = ends
    working = asyncio.create_task(bench.work())
    await asyncio.gather(working, return_exceptions=True)
    assert (working.cancelled(), bench.publisher.served, checked.checks) == (True, {}, 0)


async def test_what_is_served_otherwise_than_it_was_measured_is_not_published_by_hand_either(
    bench: Bench, checked: CheckedMethod
) -> None:
    checked.shares = (0.95, 0.6)
    await bench.save()
    made = await bench.start()
    await bench.work()
    found = await bench.get(made.id)
    why = found.groundwork.not_published
    assert why is not None
    assert (found.status, found.groundwork.verdict, why.code) == ("succeeded", "better", "parity_failed")
    assert bench.publisher.served == {}
    with pytest.raises(PublicationRefused) as refused:
        await bench.opened.tuning.publish(ACME, made.id, a_token)
    assert refused.value.code == "parity_failed"
    assert await bench.learnt(made.id) == b"GGUF" * 10


async def test_a_check_that_was_interrupted_is_made_again_and_leaves_no_candidate(
    bench: Bench, checked: CheckedMethod, clock: ManualClock
) -> None:
    checked.breaks = TrainerDied(-9)
    await bench.save()
    made = await bench.start(suffix="support")
    await bench.work()
    assert ((await bench.get(made.id)).status, bench.publisher.served) == ("queued", {})
    checked.breaks = None
    clock.advance(600)
    await bench.work("another")
    assert (await bench.get(made.id)).fine_tuned_model == "smollm2+acme.support"
    assert (len(checked.works), checked.checks) == (1, 2)


async def test_a_candidate_of_a_worker_that_was_killed_goes_where_a_later_one_is_refused(
    bench: Bench, checked: CheckedMethod
) -> None:
    await bench.save()
    made = await bench.start(suffix="support")
    bench.publisher.served["smollm2+acme.try1"] = made.id
    bench.publisher.raises = Refused(NotPublished(code="model_not_loaded", message="It does not answer."))
    await bench.work()
    assert ((await bench.get(made.id)).fine_tuned_model, bench.publisher.served) == (None, {})


async def test_what_ended_before_it_was_looked_at_is_not_published_by_hand(
    bench: Bench, checked: CheckedMethod, clock: ManualClock
) -> None:
    checked.breaks = TrainerDied(-9)
    await bench.save()
    made = await bench.start()
    for _ in range(6):
        await bench.work()
        clock.advance(600)
    with pytest.raises(PublicationRefused) as refused:
        await bench.opened.tuning.publish(ACME, made.id, a_token)
    assert (refused.value.code, bench.publisher.served) == ("parity_unknown", {})


async def test_what_was_asked_hardly_any_general_question_is_kept(bench: Bench) -> None:
    bench.method.outcome = lambda work: replace(better(work), general_before={"a": 1.0}, general_after={"a": 1.0})
    await bench.save()
    made = await bench.start()
    await bench.work()
    why = (await bench.get(made.id)).groundwork.not_published
    assert why is not None
    assert (why.code, bench.publisher.served) == ("general_unknown", {})


async def test_a_check_that_dies_again_and_again_ends_with_the_artifact_kept(
    bench: Bench, checked: CheckedMethod, clock: ManualClock
) -> None:
    checked.breaks = TrainerDied(-9)
    await bench.save()
    made = await bench.start()
    for _ in range(6):
        await bench.work()
        clock.advance(600)
    found = await bench.get(made.id)
    assert found.groundwork.not_published is not None
    assert (found.status, found.groundwork.not_published.code) == ("succeeded", "attempts_exhausted")
    assert bench.publisher.served == {}
