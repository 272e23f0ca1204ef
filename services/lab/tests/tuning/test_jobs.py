from __future__ import annotations

import asyncio
import math

import pytest
from services.lab.tests.tuning.learning import ACME, STEPS, Bench, a_token, better
from sqlalchemy import update

from contracts.improvement.question_sets import QuestionSetCreate
from lab.questions.repository import Viewer
from lab.tables import TUNING
from lab.tuning.errors import ArtifactMissing, TrainerDied, TrainingFailed, TuningJobNotFound
from lab.tuning.method import Trained, Work
from servicekit.core.clock import ManualClock
from servicekit.core.errors import Forbidden, NotReady

KEY = "sk-" + "abcdefghijklmnopqrstuvwx"


async def test_a_job_keeps_what_was_learnt_with_what_it_is_worth(bench: Bench) -> None:
    await bench.save()
    made = await bench.start()
    assert (made.status, made.training_file, made.seed) == ("queued", "set:support@1", 7)
    assert await bench.work()
    found = await bench.get(made.id)
    report = found.groundwork
    assert (found.status, found.trained_tokens, report.done, report.steps) == ("succeeded", 300, STEPS, STEPS)
    assert (report.verdict, report.base, report.artifact_bytes) == ("better", "sha256:base", 40)
    assert report.words is not None
    assert report.words.startswith("better: -")
    assert report.card is not None
    assert (report.card.train, report.card.held_out, report.card.unanswered) == (14, 6, 1)
    assert await bench.learnt(made.id) == b"GGUF" * 10
    assert bench.method.tokens == ["token of grant"]


async def test_progress_is_told_in_events_and_checkpoints_newest_first(bench: Bench) -> None:
    await bench.save()
    made = await bench.start()
    await bench.work()
    first = await bench.opened.tuning.list_events(ACME, made.id, 2, None)
    rest = await bench.opened.tuning.list_events(ACME, made.id, 10, first.data[-1].id)
    assert (first.has_more, rest.has_more) == (True, False)
    events = [*first.data, *rest.data]
    assert [one.type for one in events] == [*["message"] * 3, *["metrics"] * STEPS, "message"]
    assert events[0].message == f"It is served as 'smollm2+acme.{made.id}'."
    assert events[3].data == {"step": 3, "train_loss": 0.0}
    checkpoints = await bench.opened.tuning.list_checkpoints(ACME, made.id, 10, None)
    assert [(one.step_number, one.metrics["valid_loss"]) for one in checkpoints.data] == [(STEPS, 1.0)]


async def test_an_interrupted_job_goes_on_with_the_same_questions_in_the_same_folder(bench: Bench) -> None:
    await bench.save()
    made = await bench.start()
    bench.method.open.clear()
    working = asyncio.create_task(bench.work())
    await bench.method.began.wait()
    bench.stopping.set()
    await working
    assert bench.method.ended.is_set()
    assert (await bench.get(made.id)).status == "queued"
    bench.stopping.clear()
    bench.method.open.set()
    await bench.work("another")
    first, second = bench.method.works
    assert [one.id for one in first.train] == [one.id for one in second.train]
    assert (first.folder, first.known_base, second.known_base) == (second.folder, None, "sha256:base")
    assert (await bench.get(made.id)).status == "succeeded"
    assert not second.folder.exists()


async def test_a_trainer_that_dies_at_the_same_step_is_given_up(bench: Bench, clock: ManualClock) -> None:
    bench.method.fails = lambda _: TrainerDied(-9)
    await bench.save()
    made = await bench.start()
    for _ in range(10):
        await bench.work()
        clock.advance(600)
    found = await bench.get(made.id)
    assert found.status == "failed"
    assert found.error is not None
    assert (found.error.code, len(bench.method.works)) == ("attempts_exhausted", 3)
    assert "batch_size" in found.error.message


async def test_a_failure_that_says_why_ends_the_job_with_it(bench: Bench) -> None:
    bench.method.fails = lambda _: TrainingFailed("loss_not_finite", "Choose a smaller rate.")
    await bench.save()
    made = await bench.start()
    await bench.work()
    found = await bench.get(made.id)
    assert found.error is not None
    assert (found.status, found.error.code) == ("failed", "loss_not_finite")
    events = await bench.opened.tuning.list_events(ACME, made.id, 1, None)
    assert (events.data[0].level, events.data[0].message) == ("error", "Choose a smaller rate.")
    with pytest.raises(ArtifactMissing):
        await bench.opened.tuning.get_artifact(ACME, made.id)


async def test_a_service_that_is_away_is_waited_for(bench: Bench, clock: ManualClock) -> None:
    bench.method.fails = lambda attempt: NotReady("Later.") if attempt == 1 else None
    await bench.save()
    made = await bench.start()
    await bench.work()
    assert ((await bench.get(made.id)).status, (await bench.get(made.id)).groundwork.waiting_on) == (
        "queued",
        "not_ready",
    )
    clock.advance(60)
    await bench.work()
    assert (await bench.get(made.id)).status == "succeeded"


async def test_a_key_that_was_revoked_ends_the_job(bench: Bench) -> None:
    await bench.save()
    made = await bench.start()
    bench.grants.refused = Forbidden("Revoked.")
    await bench.work()
    assert (await bench.get(made.id)).status == "failed"


async def test_a_key_that_is_revoked_meanwhile_gets_nothing_of_what_was_learnt(bench: Bench) -> None:
    await bench.save()
    made = await bench.start()

    def revoked(work: Work) -> Trained:
        bench.grants.refused = Forbidden("Revoked.")
        return better(work)

    bench.method.outcome = revoked
    await bench.work()
    assert (await bench.get(made.id)).status == "failed"
    with pytest.raises(ArtifactMissing):
        await bench.opened.tuning.get_artifact(ACME, made.id)


async def test_a_running_job_is_cancelled_and_its_trainer_ended(bench: Bench) -> None:
    await bench.save()
    made = await bench.start()
    bench.method.open.clear()
    working = asyncio.create_task(bench.work())
    await bench.method.began.wait()
    await bench.opened.tuning.cancel(ACME, made.id, a_token)
    await working
    assert bench.method.ended.is_set()
    assert (await bench.get(made.id)).status == "cancelled"
    assert not bench.method.works[0].folder.exists()


async def test_a_base_that_was_replaced_ends_the_job(bench: Bench) -> None:
    await bench.save()
    made = await bench.start()
    async with bench.opened.database.write() as connection:
        await connection.execute(update(TUNING).values(result={"base": "sha256:other"}))
    await bench.work()
    found = await bench.get(made.id)
    assert found.error is not None
    assert found.error.code == "base_model_replaced"


async def test_a_question_that_another_set_asks_is_refused_or_left_out(bench: Bench) -> None:
    await bench.save()
    await bench.start()
    await bench.work()
    learnt = bench.method.works[0].train[0].question or ""
    judged = {"name": "judged", "items": [{"question": learnt.replace("is number", "is the number"), "split": "test"}]}
    await bench.opened.question_sets.save(ACME, QuestionSetCreate.model_validate(judged))
    made = await bench.start()
    await bench.work()
    found = await bench.get(made.id)
    assert found.error is not None
    assert found.error.code == "training_leaks"
    assert "'judged'" in found.error.message
    other = await bench.start(groundwork={"leaks": "skip"})
    await bench.work()
    card = (await bench.get(other.id)).groundwork.card
    assert card is not None
    assert (card.leaked, card.train) == (1, 13)
    assert learnt not in {one.question for one in bench.method.works[-1].train}


async def save_private(bench: Bench) -> None:
    """A set in which each answer, learnt or held out, has an address, and one question a key."""
    items = [{"question": f"Who has number {n}?", "answers": [f"Ask person{n}@mail.example"]} for n in range(20)]
    items[0]["question"] = f"Is {KEY} mine?"
    await bench.opened.question_sets.save(ACME, QuestionSetCreate.model_validate({"name": "support", "items": items}))


async def test_secrets_and_personal_data_are_masked_before_anything_is_learnt(bench: Bench) -> None:
    await save_private(bench)
    made = await bench.start()
    await bench.work()
    found, (work,) = await bench.get(made.id), bench.method.works
    assert {answer for one in [*work.train, *work.held_out] for answer in one.answers} == {"Ask [email]"}
    assert [one.question for one in [*work.train, *work.held_out] if "[" in (one.question or "")] == [
        "Is [openai_key] mine?"
    ]
    assert found.groundwork.card is not None
    assert found.groundwork.card.masked == {"email": 20, "openai_key": 1}
    events = await bench.opened.tuning.list_events(ACME, made.id, 100, None)
    assert events.data[-1].message.endswith("; masked: 20 email, 1 openai_key.")


async def test_another_attempt_learns_from_what_was_masked_too(bench: Bench, clock: ManualClock) -> None:
    await save_private(bench)
    await bench.start()
    bench.method.fails = lambda attempt: TrainerDied(-9) if attempt == 1 else None
    await bench.work()
    clock.advance(600)
    await bench.work()
    first, second = bench.method.works
    assert (first.train, first.held_out) == (second.train, second.held_out)
    assert second.train[0].answers == ["Ask [email]"]


async def test_answers_that_are_not_learnt_as_words_stay(bench: Bench) -> None:
    await save_private(bench)
    bench.method.learns_answers = False
    made = await bench.start()
    await bench.work()
    (work,) = bench.method.works
    every = [*work.train, *work.held_out]
    assert all(one.answers[0].endswith("@mail.example") for one in every)
    assert [one.question for one in every if "[" in (one.question or "")] == ["Is [openai_key] mine?"]
    card = (await bench.get(made.id)).groundwork.card
    assert card is not None
    assert card.masked == {"openai_key": 1}
    refused = await bench.start(groundwork={"sensitive": "refuse"})
    await bench.work()
    error = (await bench.get(refused.id)).error
    assert error is not None
    assert "(email)" in error.message


async def test_what_is_refused_is_told_of_both_sets_that_share_ids(bench: Bench) -> None:
    for name, answer in (("support", "Ask {}@mail.example"), ("judged", "Call +49 170 1234567, {}")):
        items = [{"id": f"q{n}", "question": f"{name} {n}?", "answers": [answer.format(f"p{n}")]} for n in range(12)]
        body = QuestionSetCreate.model_validate({"name": name, "items": items})
        await bench.opened.question_sets.save(ACME, body)
    refused = await bench.start(validation_file="set:judged", groundwork={"sensitive": "refuse", "leaks": "skip"})
    await bench.work()
    error = (await bench.get(refused.id)).error
    assert error is not None
    assert error.code == "training_sensitive"
    assert "'q0' (email); 'q0' (phone)" in error.message
    assert "and 19 more" in error.message


async def test_a_job_may_refuse_secrets_and_personal_data_or_keep_them(bench: Bench) -> None:
    await save_private(bench)
    refused = await bench.start(groundwork={"sensitive": "refuse"})
    await bench.work()
    found = await bench.get(refused.id)
    assert (found.status, bench.method.works) == ("failed", [])
    assert found.error is not None
    assert found.error.code == "training_sensitive"
    assert "(email)" in found.error.message
    assert "mail.example" not in found.error.message
    kept = await bench.start(groundwork={"sensitive": "keep"})
    await bench.work()
    assert bench.method.works[0].train[0].answers[0].endswith("@mail.example")
    card = (await bench.get(kept.id)).groundwork.card
    assert card is not None
    assert card.masked == {}


async def test_a_leak_is_found_by_what_people_wrote_not_by_what_is_masked(bench: Bench) -> None:
    items = [
        {
            "question": f"What of person{n}@mail.example?",
            "answers": [f"Name {n}"],
            "split": "train" if n < 14 else "test",
        }
        for n in range(20)
    ]
    await bench.opened.question_sets.save(ACME, QuestionSetCreate.model_validate({"name": "support", "items": items}))
    await bench.judge("What of person3@mail.example?", "judged")
    made = await bench.start(groundwork={"leaks": "skip"})
    await bench.work()
    card = (await bench.get(made.id)).groundwork.card
    assert card is not None
    assert (card.leaked, card.masked) == (1, {"email": 19})


@pytest.mark.parametrize("leaks", ["skip", "refuse"])
async def test_what_another_set_asks_meanwhile_changes_nothing_of_a_job_that_has_begun(
    bench: Bench, clock: ManualClock, leaks: str
) -> None:
    bench.method.fails = lambda attempt: TrainerDied(-9) if attempt == 1 else None
    await bench.save()
    if leaks == "skip":
        await bench.judge("What is the number 3 called?", "known")
    made = await bench.start(groundwork={"leaks": leaks})
    await bench.work()
    learnt = [one.id for one in bench.method.works[0].train]
    await bench.judge(bench.method.works[0].train[0].question or "", "later")
    clock.advance(600)
    await bench.work()
    found = await bench.get(made.id)
    assert (found.status, [one.id for one in bench.method.works[1].train]) == ("succeeded", learnt)
    assert found.groundwork.card is not None
    assert found.groundwork.card.train == len(learnt)


async def test_the_train_split_of_another_set_is_no_leak_nor_is_a_set_of_another_tenant(bench: Bench) -> None:
    await bench.save()
    mine = {"name": "more", "items": [{"question": "What is number 3 called?", "split": "train"}]}
    theirs = {"name": "judged", "items": [{"question": "What is number 4 called?", "split": "test"}]}
    await bench.opened.question_sets.save(ACME, QuestionSetCreate.model_validate(mine))
    await bench.opened.question_sets.save(Viewer("other", "key_9"), QuestionSetCreate.model_validate(theirs))
    made = await bench.start()
    await bench.work()
    assert (await bench.get(made.id)).status == "succeeded"


async def test_what_is_no_better_is_kept_and_said_so(bench: Bench) -> None:
    def same(work: Work) -> Trained:
        trained = better(work)
        return Trained(trained.artifact, trained.before, trained.before, "loss")

    bench.method.outcome = same
    await bench.save()
    made = await bench.start()
    await bench.work()
    found = await bench.get(made.id)
    assert (found.status, found.groundwork.verdict, found.fine_tuned_model) == ("succeeded", "no difference", None)
    why = found.groundwork.not_published
    assert why is not None
    assert (why.code, bench.publisher.served) == ("not_better", {})
    assert f"POST /v1/fine_tuning/jobs/{made.id}/publish" in why.message
    assert await bench.learnt(made.id) == b"GGUF" * 10


async def test_a_loss_that_is_no_number_fails_the_job_and_is_written_nowhere(bench: Bench) -> None:
    def broken(work: Work) -> Trained:
        trained = better(work)
        first = next(iter(trained.after))
        return Trained(trained.artifact, trained.before, {**trained.after, first: math.nan}, "loss")

    bench.method.outcome = broken
    await bench.save()
    made = await bench.start()
    await bench.work()
    found = await bench.get(made.id)
    assert found.error is not None
    assert (found.status, found.error.code, found.groundwork.verdict) == ("failed", "loss_not_finite", None)
    with pytest.raises(ArtifactMissing):
        await bench.opened.tuning.get_artifact(ACME, made.id)


async def test_a_tenant_that_is_deleted_in_the_middle_leaves_nothing(bench: Bench) -> None:
    await bench.save()
    made = await bench.start()
    bench.method.open.clear()
    working = asyncio.create_task(bench.work())
    await bench.method.began.wait()
    await bench.opened.tuning.delete_tenant("acme")
    assert not bench.method.works[0].folder.exists()
    bench.method.open.set()
    await working
    with pytest.raises(TuningJobNotFound):
        await bench.get(made.id)


async def test_a_method_learns_nothing_that_teaches_nothing(bench: Bench) -> None:
    items = [{"question": f"Question {n}?"} for n in range(20)]
    wanted = QuestionSetCreate.model_validate({"name": "support", "items": items})
    await bench.opened.question_sets.save(ACME, wanted)
    made = await bench.start()
    await bench.work()
    found = await bench.get(made.id)
    assert found.error is not None
    assert (found.error.code, bench.method.works) == ("nothing_to_learn", [])
