from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
from prometheus_client import REGISTRY
from services.lab.tests.tuning.learning import ACME, Bench, a_token, better

from contracts.improvement.tuning import NotPublished
from lab.errors import QuestionSetNotFound, QuestionSetVersionNotFound
from lab.questions.repository import Viewer
from lab.tuning import repository
from lab.tuning.errors import (
    ArtifactMissing,
    MethodUnknown,
    PublicationRefused,
    TooManyTuningJobs,
    TuningJobFinished,
    TuningJobNotFound,
    TuningJobsKept,
    TuningJobUnfinished,
    TuningUnavailable,
)
from lab.tuning.publication import Refused
from servicekit.core.errors import NotReady

KEPT = 6


async def test_an_unknown_method_is_told_those_that_there_are(bench: Bench) -> None:
    await bench.save()
    with pytest.raises(MethodUnknown, match=r"'dpo'.* supervised\."):
        await bench.start(method={"type": "dpo"})


async def test_a_set_or_a_version_that_is_not_there_is_told_at_once(bench: Bench) -> None:
    with pytest.raises(QuestionSetNotFound):
        await bench.start()
    await bench.save()
    with pytest.raises(QuestionSetVersionNotFound):
        await bench.start(training_file="set:support@4")
    with pytest.raises(QuestionSetNotFound):
        await bench.start(validation_file="set:other")


async def test_where_nothing_can_learn_the_call_says_what_is_missing(bench: Bench) -> None:
    bench.method.needs = ("json", "no_such_module")
    await bench.save()
    with pytest.raises(TuningUnavailable, match="no_such_module"):
        await bench.start()


async def test_a_tenant_has_so_many_jobs_at_once(bench: Bench) -> None:
    await bench.save()
    await bench.save(viewer=Viewer("other", "key_2"))
    for _ in range(2):
        await bench.start()
    with pytest.raises(TooManyTuningJobs):
        await bench.start()
    await bench.start(Viewer("other", "key_2"))


async def test_a_tenant_keeps_so_many_jobs_and_deletes_one_to_make_room(bench: Bench) -> None:
    await bench.save()
    for _ in range(KEPT):
        made = await bench.start()
        await bench.opened.tuning.cancel(ACME, made.id, a_token)
    with pytest.raises(TuningJobsKept, match="6 tuning jobs of this tenant are kept, which is the most"):
        await bench.start()
    await bench.opened.tuning.delete(ACME, made.id, a_token)
    await bench.start()


async def test_a_tenant_that_has_learnt_so_many_bytes_starts_no_other_job_until_one_is_deleted(bench: Bench) -> None:
    await bench.save()
    bench.method.outcome = lambda work: replace(better(work), artifact=b"x" * 50)
    for _ in range(2):
        made = await bench.start()
        await bench.work()
    with pytest.raises(TuningJobsKept, match="takes 100 bytes"):
        await bench.start()
    await bench.opened.tuning.delete(ACME, made.id, a_token)
    await bench.start()


async def test_what_is_larger_than_a_piece_comes_back_as_it_was_and_is_read_piece_by_piece(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = bytes(range(10)) * 2 + b"end"
    monkeypatch.setattr(repository, "PIECE_BYTES", 10)
    bench.method.outcome = lambda work: replace(better(work), artifact=content)
    await bench.save()
    made = await bench.start()
    await bench.work()
    found = await bench.opened.tuning.get_artifact(ACME, made.id)
    assert (found.size, [len(piece) async for piece in found.pieces]) == (23, [10, 10, 3])
    assert await bench.learnt(made.id) == content
    found = await bench.opened.tuning.get_artifact(ACME, made.id)
    await bench.opened.tuning.delete(ACME, made.id, a_token)
    with pytest.raises(ArtifactMissing):
        await anext(found.pieces)


async def test_what_is_too_large_to_be_kept_ends_the_job_at_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repository, "MOST_ARTIFACT_BYTES", 30)
    await bench.save()
    made = await bench.start()
    await bench.work()
    job = await bench.get(made.id)
    assert job.error is not None
    assert (job.status, job.error.code, len(bench.method.works)) == ("failed", "artifact_too_large", 1)


def counted(status: str) -> float:
    return REGISTRY.get_sample_value("groundwork_lab_tuning_jobs_total", {"status": status}) or 0.0


async def test_a_queued_job_is_cancelled_at_once_and_only_once(bench: Bench) -> None:
    await bench.save()
    made = await bench.start()
    before = counted("cancelled")
    assert (await bench.opened.tuning.cancel(ACME, made.id, a_token)).status == "cancelled"
    events = await bench.opened.tuning.list_events(ACME, made.id, 10, None)
    assert [(one.message, one.level) for one in events.data] == [("The job was cancelled.", "info")]
    assert counted("cancelled") == before + 1
    with pytest.raises(TuningJobFinished):
        await bench.opened.tuning.cancel(ACME, made.id, a_token)
    assert not await bench.work()


async def test_jobs_are_listed_newest_first_page_by_page(bench: Bench) -> None:
    await bench.save()
    made = [(await bench.start()).id for _ in range(2)]
    first = await bench.opened.tuning.list(ACME, 1, None)
    rest = await bench.opened.tuning.list(ACME, 5, first.data[0].id)
    assert ([one.id for one in (*first.data, *rest.data)], first.has_more, rest.has_more) == (made[::-1], True, False)


async def test_others_see_and_end_nothing(bench: Bench) -> None:
    await bench.save()
    made = await bench.start()
    for stranger in (Viewer("other", "key_1"), Viewer("acme", "key_2", limited=True)):
        tuning = bench.opened.tuning
        assert (await tuning.list(stranger, 5, None)).data == []
        ends = [partial(call, token=a_token) for call in (tuning.cancel, tuning.delete, tuning.publish)]
        for call in (tuning.get, *ends, tuning.get_artifact):
            with pytest.raises(TuningJobNotFound):
                await call(stranger, made.id)
        for lists in (tuning.list_events, tuning.list_checkpoints):
            with pytest.raises(TuningJobNotFound):
                await lists(stranger, made.id, 5, None)


async def test_only_a_job_that_has_ended_is_deleted_with_what_it_learnt(bench: Bench) -> None:
    await bench.save()
    made = await bench.start()
    with pytest.raises(TuningJobUnfinished):
        await bench.opened.tuning.delete(ACME, made.id, a_token)
    await bench.work()
    await bench.opened.tuning.delete(ACME, made.id, a_token)
    with pytest.raises(TuningJobNotFound):
        await bench.get(made.id)


async def test_no_state_on_the_way_is_named_as_a_model(bench: Bench) -> None:
    await bench.save()
    made = await bench.start(suffix="support")
    await bench.work()
    (checkpoint,) = (await bench.opened.tuning.list_checkpoints(ACME, made.id, 5, None)).data
    assert checkpoint.fine_tuned_model_checkpoint is None


async def test_what_passed_no_gate_is_published_by_hand_and_a_replaced_version_comes_back_in_one_call(
    bench: Bench,
) -> None:
    await bench.save()
    made = [await bench.start(suffix="support", groundwork={"publish": publish}) for publish in (False, True)]
    for _ in made:
        await bench.work()
    jobs = [await bench.get(one.id) for one in made]
    assert [one.fine_tuned_model for one in jobs] == [None, "smollm2+acme.support"]
    assert jobs[0].groundwork.not_published is not None
    assert jobs[0].groundwork.not_published.code == "publish_off"
    told = await bench.opened.tuning.publish(ACME, made[0].id, a_token)
    assert (told.fine_tuned_model, told.groundwork.not_published) == ("smollm2+acme.support", None)
    other = await bench.get(made[1].id)
    assert other.groundwork.not_published is not None
    assert (other.fine_tuned_model, other.groundwork.not_published.code) == (None, "replaced")
    assert bench.publisher.served == {"smollm2+acme.support": made[0].id}
    await bench.opened.tuning.publish(ACME, made[1].id, a_token)
    assert bench.publisher.served == {"smollm2+acme.support": made[1].id}


async def test_each_replaced_version_says_how_it_comes_back_and_does_however_many_came_after_it(bench: Bench) -> None:
    await bench.save()
    made = []
    for _ in range(3):
        made.append(await bench.start(suffix="support", groundwork={"publish": False}))
        await bench.work()
    name = "smollm2+acme.support"
    for one in (*made, *reversed(made)):
        assert (await bench.opened.tuning.publish(ACME, one.id, a_token)).fine_tuned_model == name
        assert bench.publisher.served == {name: one.id}
    for one in made[1:]:
        job = await bench.get(one.id)
        assert job.groundwork.not_published is not None
        assert (job.fine_tuned_model, job.groundwork.not_published.code) == (None, "replaced")
        assert f"POST /v1/fine_tuning/jobs/{one.id}/publish" in job.groundwork.not_published.message


async def test_what_inference_refuses_by_hand_is_told_with_its_code_and_changes_nothing(bench: Bench) -> None:
    await bench.save()
    made = await bench.start(groundwork={"publish": False})
    with pytest.raises(ArtifactMissing):
        await bench.opened.tuning.publish(ACME, made.id, a_token)
    await bench.work()
    bench.publisher.raises = Refused(NotPublished(code="base_model_replaced", message="Another one."))
    with pytest.raises(PublicationRefused) as refused:
        await bench.opened.tuning.publish(ACME, made.id, a_token)
    assert refused.value.code == "base_model_replaced"
    assert (await bench.get(made.id)).fine_tuned_model is None


async def test_a_job_that_is_deleted_while_it_is_published_leaves_no_model(bench: Bench) -> None:
    await bench.save()
    made = await bench.start(groundwork={"publish": False})
    await bench.work()
    bench.publisher.meanwhile = partial(bench.opened.tuning.delete_tenant, "acme")
    with pytest.raises(TuningJobNotFound):
        await bench.opened.tuning.publish(ACME, made.id, a_token)
    assert bench.publisher.served == {}


async def test_a_withdrawal_that_was_lost_is_made_up_for_when_the_job_is_deleted(bench: Bench) -> None:
    await bench.save()
    made = await bench.start(suffix="support")
    await bench.opened.tuning.cancel(ACME, made.id, a_token)
    bench.publisher.served["smollm2+acme.support"] = made.id
    await bench.opened.tuning.delete(ACME, made.id, a_token)
    assert bench.publisher.served == {}


async def test_what_is_published_while_its_job_is_deleted_goes_too(bench: Bench) -> None:
    await bench.save()
    made = await bench.start(suffix="support")
    await bench.work()
    asked: list[str] = []

    async def late() -> str:
        asked.append("token")
        if len(asked) == 2:
            bench.publisher.served["smollm2+acme.support"] = made.id
        return "token"

    await bench.opened.tuning.delete(ACME, made.id, late)
    assert (len(asked), bench.publisher.served) == (2, {})


async def test_a_job_that_waits_to_be_published_is_cancelled_with_what_is_served_of_it(bench: Bench) -> None:
    await bench.save()
    made = await bench.start(suffix="support")
    bench.publisher.raises = NotReady("Inference is away.")
    await bench.work()
    bench.publisher.served["smollm2+acme.support"] = made.id  # the answer was lost

    async def away() -> str:
        raise NotReady("Inference is away.")

    assert (await bench.opened.tuning.cancel(ACME, made.id, a_token)).status == "cancelled"
    assert bench.publisher.served == {}
    other = await bench.start()
    await bench.work()
    assert (await bench.opened.tuning.cancel(ACME, other.id, away)).status == "cancelled"


async def test_a_job_is_not_deleted_while_its_model_can_t_be_unpublishn(bench: Bench) -> None:
    await bench.save()
    made = await bench.start()
    await bench.work()
    assert bench.publisher.served

    async def away() -> str:
        raise NotReady("Inference is away.")

    with pytest.raises(NotReady):
        await bench.opened.tuning.delete(ACME, made.id, away)
    assert (await bench.get(made.id)).fine_tuned_model is not None
    await bench.opened.tuning.delete(ACME, made.id, a_token)
    assert bench.publisher.served == {}


async def test_two_jobs_wait_in_turn_of_their_tenants(bench: Bench) -> None:
    await bench.save()
    other = Viewer("other", "key_2")
    await bench.save(viewer=other)
    mine = [(await bench.start()).id for _ in range(2)]
    theirs = (await bench.start(other)).id
    await bench.work()
    await bench.work()
    assert (await bench.get(mine[0])).status == (await bench.get(theirs, other)).status == "succeeded"
    assert (await bench.get(mine[1])).status == "queued"
