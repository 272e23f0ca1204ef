from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from services.lab.tests.evaluations.asking import ACME, UNSUPPORTED, Bench, right
from sqlalchemy import select

from contracts.improvement.evaluations import Evaluation, JudgeSpec
from contracts.improvement.question_sets import QuestionRecord, QuestionSetCreate, Turn
from lab.dependencies import Dependencies
from lab.errors import OtherJudge
from lab.evaluations.judging.judge import agreement, judge_row, judged_by_people
from lab.evaluations.judging.rubric import MOST_MATERIAL, RUBRIC, read_verdict, turns_of
from lab.evaluations.measures import Said
from lab.evaluations.target import Answered
from lab.tables import UNJUDGED
from servicekit.core.clock import ManualClock
from servicekit.core.errors import NotFound, NotReady, RateLimited, ServiceError, UpstreamFailed

JUDGE = {"judge": {"model": "wise"}}
Says = Callable[[dict[str, Any]], str | ServiceError | Answered]


@pytest.fixture
def bench(opened: Dependencies, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr("lab.evaluations.judging.judge.PAUSE_SECONDS", 0)
    return Bench(opened)


def _material(question: QuestionRecord) -> dict[str, Any] | None:
    """What a judge is asked about; none of a question that is asked of the target."""
    turns = question.turns or []
    return json.loads(turns[1].content) if turns and turns[0].content.startswith("You judge") else None


def _by(says: Says) -> Callable[[QuestionRecord, int], Answered | ServiceError]:
    def script(question: QuestionRecord, asked: int) -> Answered | ServiceError:
        material = _material(question)
        if material is None:
            return right(question)
        said = says(material)
        return Answered(Said(said), 1.0) if isinstance(said, str) else said

    return script


def _verdict(found: bool, reason: str = "as the reference says") -> str:
    return json.dumps({"reason": reason, "right": found})


async def _run(bench: Bench, says: Says, count: int = 4, **more: Any) -> Evaluation:
    bench.target.script = _by(says)
    evaluation = await bench.start(count, **JUDGE, **more)
    await bench.work()
    return await bench.opened.evaluations.get(ACME, evaluation)


async def test_a_judge_sees_question_references_and_answer_and_its_verdict_is_a_measure(bench: Bench) -> None:
    seen: list[dict[str, Any]] = []

    def says(material: dict[str, Any]) -> str:
        seen.append(material)
        return _verdict(material["question"] != "Question 2?")

    shown = await _run(bench, says)
    assert (shown.status, shown.figures["judge_right"].mean, shown.figures["judge_right"].questions) == (
        "completed",
        0.75,
        4,
    )
    assert shown.figures["judge_failed"].mean == 0
    by_question = {one["question"]: one for one in seen}
    assert by_question["Question 1?"] == {
        "question": "Question 1?",
        "reference_answers": ["answer 1"],
        "answer": "answer 1",
    }
    assert by_question["Nobody knows?"]["reference"] == "This question can't be answered."
    answers = (await bench.opened.evaluations.list_answers(ACME, shown.id, 10, None, "judge_right")).data
    assert answers[0].question == "Question 2?"
    assert answers[0].report["judge"] == {"right": False, "reason": "as the reference says"}
    assert shown.judge is not None
    assert (shown.judge.model, shown.judge.rubric, len(shown.judge.digest)) == ("wise", "answers@1", 64)
    assert (shown.judge.people, shown.judge.kappa) == (0, None)


async def test_its_calls_are_charged_to_the_evaluation(bench: Bench) -> None:
    shown = await _run(bench, lambda _: _verdict(True))
    assert all(name.startswith(f"{shown.id}.") for name in bench.target.requests)
    assert len(bench.target.requests) == len(set(bench.target.requests)) == 8
    assert shown.cost_usd == "0.008", "four answers and four verdicts"


async def test_each_of_its_calls_has_a_token_of_its_own_since_tokens_age(bench: Bench) -> None:
    known = {"judged": [{"answer": f"said {one}", "right": True} for one in range(5)]}
    items = [{"question": "Is it?", "answers": ["yes"], "metadata": known}]
    await bench.opened.question_sets.save(ACME, QuestionSetCreate.model_validate({"name": "judged", "items": items}))
    failing = iter((True, True))

    def says(_: dict[str, Any]) -> str | ServiceError:
        return UpstreamFailed("model") if next(failing, False) else _verdict(True)

    shown = await _run(bench, says, question_set="judged")
    assert shown.status == "completed"
    assert len(bench.target.tokens) == len(set(bench.target.tokens)) == 1 + 6 + 2


@pytest.mark.parametrize(
    "said",
    ["It is right, I think.", '{"right": "yes"}', '{"reason": "x"}', "", UpstreamFailed("model"), "{" * 50],
    ids=lambda said: str(said)[:12],
)
async def test_a_judge_that_fails_is_counted_and_gives_no_figure(bench: Bench, said: str | ServiceError) -> None:
    shown = await _run(bench, lambda material: said if material["question"] == "Question 1?" else _verdict(True))
    assert (shown.status, shown.done, shown.failed) == ("completed", 4, 0)
    assert (shown.figures["judge_failed"].mean, shown.figures["judge_failed"].questions) == (0.25, 4)
    assert (shown.figures["judge_right"].mean, shown.figures["judge_right"].questions) == (1, 3)
    answers = (await bench.opened.evaluations.list_answers(ACME, shown.id, 10, None, "judge_failed")).data
    assert answers[0].question == "Question 1?", "the worst first"
    assert answers[0].report["judge"]["error"]["code"] in ("no_verdict", "upstream_error")
    assert "answer_found" in answers[0].figures, "what needs no judge is measured all the same"


async def test_a_judge_that_is_refused_what_it_is_asked_ends_the_run_with_what_to_do(bench: Bench) -> None:
    refused = Answered(Said(""), 1.0, error=UNSUPPORTED, refused=True)
    shown = await _run(bench, lambda _: refused, 12)
    assert shown.status == "failed"
    assert shown.error is not None
    assert shown.error.code == "judge_refuses"
    assert "Name another model" in shown.error.message
    assert shown.done < 12


async def test_a_judge_that_is_gone_ends_the_run_and_one_that_is_busy_is_waited_for(bench: Bench) -> None:
    shown = await _run(bench, lambda _: NotFound("There is no model 'wise'."))
    assert shown.status == "failed"
    busy = await _run(bench, lambda _: RateLimited("Busy.", retry_after=5))
    assert (busy.status, busy.done) == ("queued", 0)


async def _kept(bench: Bench) -> list[int]:
    """Numbers of the questions whose answers wait for their verdict."""
    query = select(UNJUDGED.c.number).order_by(UNJUDGED.c.number)
    return list(await bench.opened.database.read(lambda one: one.execute(query).scalars().all()))


def _asked_of(asked: Counter[str], wait_for: Callable[[], None], says: Says) -> Callable[[QuestionRecord, int], Any]:
    """By the judge as it is told, counting what is asked of the target."""

    def script(question: QuestionRecord, tries: int) -> Answered | ServiceError:
        if _material(question) is None:
            asked[question.id] += 1
            return right(question)
        wait_for()
        return _by(says)(question, tries)

    return script


async def test_an_answer_is_paid_once_however_often_its_judge_must_be_waited_for(
    bench: Bench, clock: ManualClock
) -> None:
    asked: Counter[str] = Counter()
    bench.target.script = _asked_of(asked, lambda: None, lambda _: NotReady("Loading.", retry_after=5))
    evaluation = await bench.start(4, **JUDGE)
    for _ in range(3):
        assert await bench.work()
        shown = await bench.opened.evaluations.get(ACME, evaluation)
        assert (shown.status, shown.done) == ("queued", 0), "it is no answer before it is judged"
        clock.advance(60)
    assert await _kept(bench) == [1, 2]
    bench.target.script = _asked_of(asked, lambda: None, lambda _: _verdict(True))
    assert await bench.work()
    shown = await bench.opened.evaluations.get(ACME, evaluation)
    assert (shown.status, shown.done, shown.figures["judge_right"].questions) == ("completed", 4, 4)
    assert (len(asked), set(asked.values())) == (4, {1})
    answers = (await bench.opened.evaluations.list_answers(ACME, evaluation, 10, None)).data
    assert [one.answer for one in answers[:3]] == ["answer 1", "answer 2", "answer 3"]
    assert [one.answer_id for one in answers] == [f"chatcmpl_{one.question_id}" for one in answers]
    assert await _kept(bench) == []


async def test_an_answer_whose_worker_dies_while_it_is_judged_is_not_asked_again(
    bench: Bench, clock: ManualClock
) -> None:
    asked: Counter[str] = Counter()

    def dies() -> None:
        raise RuntimeError("the process is gone")

    bench.target.script = _asked_of(asked, dies, lambda _: _verdict(True))
    evaluation = await bench.start(4, **JUDGE)
    await bench.work("a worker that dies")
    assert await _kept(bench) == [1, 2]
    clock.advance(3600)
    bench.target.script = _asked_of(asked, lambda: None, lambda _: _verdict(True))
    assert await bench.work("another")
    shown = await bench.opened.evaluations.get(ACME, evaluation)
    assert (shown.status, shown.done) == ("completed", 4)
    assert (len(asked), set(asked.values())) == (4, {1})
    assert await _kept(bench) == []


@pytest.mark.parametrize("ends_by", ["budget", "cancel"])
async def test_what_was_answered_and_waits_for_its_verdict_stays_when_the_run_ends(
    bench: Bench, clock: ManualClock, ends_by: str
) -> None:
    budget, kept = ({"budget_usd": "0.002"}, [1]) if ends_by == "budget" else ({}, [1, 2])
    shown = await _run(bench, lambda _: NotReady("Loading.", retry_after=5), **budget)
    assert (shown.status, await _kept(bench)) == ("queued", kept)
    if ends_by == "cancel":
        await bench.opened.evaluations.cancel(ACME, shown.id)
    clock.advance(60)
    assert await bench.work()
    shown = await bench.opened.evaluations.get(ACME, shown.id)
    assert shown.status == ("limit_reached" if ends_by == "budget" else "cancelled")
    assert (shown.done, shown.failed) == (len(kept), 0)
    assert shown.cost_usd == f"0.00{sum(bench.target.asked.values())}"
    assert (shown.figures["judge_failed"].mean, shown.figures["judge_failed"].questions) == (1, len(kept))
    assert shown.figures["answer_found"].questions == len(kept)
    assert "judge_right" not in shown.figures
    answers = (await bench.opened.evaluations.list_answers(ACME, shown.id, 10, None)).data
    assert [one.answer for one in answers] == [f"answer {number}" for number in kept]
    assert {one.report["judge"]["error"]["code"] for one in answers} == {"ended_before_verdict"}
    assert await _kept(bench) == []


async def test_what_waits_for_its_verdict_goes_with_its_evaluation_and_with_its_tenant(bench: Bench) -> None:
    gone = await _run(bench, lambda _: NotFound("There is no model 'wise'."))
    assert (gone.status, await _kept(bench)) == ("failed", [])
    await _run(bench, lambda _: RateLimited("Busy.", retry_after=5))
    assert await _kept(bench)
    await bench.opened.evaluations.delete_tenant("acme")
    assert await _kept(bench) == []


async def test_agreement_with_people_is_told_beside_the_figures(bench: Bench) -> None:
    people = [("one", True, True), ("two", True, False), ("three", False, False), ("four", False, False)]
    items = []
    for name, is_right, _ in people:
        known = {"judged": [{"answer": f"said {name}", "right": is_right}]}
        items.append({"question": f"Is it {name}?", "answers": [name], "metadata": known})
    await bench.opened.question_sets.save(ACME, QuestionSetCreate.model_validate({"name": "judged", "items": items}))
    judged = {f"said {name}": verdict for name, _, verdict in people}
    shown = await _run(bench, lambda material: _verdict(judged.get(material["answer"], True)), question_set="judged")
    assert shown.judge is not None
    assert (shown.judge.people, shown.judge.agreed) == (4, 3)
    assert shown.judge.kappa == pytest.approx(0.5), "3 of 4, where chance gives 2"
    assert shown.figures["judge_agrees"].mean == 0.75
    assert shown.figures["judge_right"].mean == 1, "of what the target answered"


@pytest.mark.parametrize(
    "judge", [{"model": "wiser"}, {"model": "wise", "rubric": "You judge whether it is polite."}], ids=str
)
async def test_verdicts_of_another_judge_or_rubric_are_not_compared(bench: Bench, judge: dict[str, Any]) -> None:
    first = await _run(bench, lambda _: _verdict(True))
    again = await _run(bench, lambda _: _verdict(False))
    found = await bench.opened.evaluations.compare(ACME, again.id, first.id)
    assert found.same_judge
    assert {"judge_right", "judge_failed"} <= {one.measure for one in found.measures}
    other = await bench.start(4, judge=judge)
    await bench.work()
    found = await bench.opened.evaluations.compare(ACME, other, first.id)
    assert not found.same_judge
    assert {one.measure for one in found.measures} & {"judge_right", "judge_failed"} == set()
    assert "answer_found" in {one.measure for one in found.measures}
    assert (await bench.opened.evaluations.list_answers(ACME, again.id, 9, None, "judge_right", first.id)).data
    assert await bench.opened.evaluations.list_answers(ACME, other, 9, None, "answer_found", first.id)
    with pytest.raises(OtherJudge):
        await bench.opened.evaluations.list_answers(ACME, other, 9, None, "judge_right", first.id)


def test_agreement_is_null_where_it_is_not_defined() -> None:
    assert agreement([]) == {"people": 0, "agreed": 0, "kappa": None, "unreadable": 0}
    alike = agreement([{"people": [[True, True]]}, {"right": True}])
    assert alike == {"people": 1, "agreed": 1, "kappa": None, "unreadable": 0}


def test_metadata_that_is_no_list_of_judged_answers_is_none_and_counted() -> None:
    assert judged_by_people({}) == ([], 0)
    assert judged_by_people({"judged": "yes"}) == judged_by_people({"judged": [{"answer": "x"}]}) == ([], 1)
    assert judged_by_people({"judged": [{"answer": "x", "right": 1}]}) == ([], 1)
    assert len(judged_by_people({"judged": [{"answer": "x", "right": True}] * 9})[0]) == 5


async def test_one_entry_of_another_form_is_left_out_and_counted_and_the_others_are_judged(bench: Bench) -> None:
    known = {"judged": [{"answer": "x", "right": "yes"}, {"answer": "said", "right": True}, {"right": False}]}
    items = [{"question": "Is it?", "answers": ["yes"], "metadata": known}]
    await bench.opened.question_sets.save(ACME, QuestionSetCreate.model_validate({"name": "judged", "items": items}))
    shown = await _run(bench, lambda _: _verdict(True), question_set="judged")
    assert shown.judge is not None
    assert (shown.judge.people, shown.judge.agreed, shown.judge.unreadable) == (1, 1, 2)


@pytest.mark.parametrize(
    ("said", "right"),
    [
        ('```json\n{"reason": "a {b}", "right": true}\n```', True),
        ('Thinking {about it}. {"reason": "x", "right": false}', False),
        ('{"right": 1}', None),
        ("", None),
    ],
)
def test_a_verdict_is_read_where_it_stands(said: str, right: bool | None) -> None:
    assert read_verdict(said).right is right


@pytest.mark.parametrize("letter", ["x", "\x01", '"'])
def test_what_is_long_is_cut_so_that_it_can_be_asked(letter: str) -> None:
    question = QuestionRecord(id="q", question=letter * 32_000, answers=[letter * 32_000] * 50)
    turns = turns_of("r" * 8000, question, letter * 200_000)
    assert len(turns[1].content) <= MOST_MATERIAL
    assert json.loads(turns[1].content)["answer"].endswith("[cut]")


@pytest.mark.parametrize("letter", ["x", "\x01", '"'])
def test_of_a_long_conversation_the_last_turn_is_the_question_and_the_beginning_is_cut(letter: str) -> None:
    turns = [Turn(role="system", content="Be brief."), Turn(role="user", content=letter * 30_000)]
    turns += [Turn(role="assistant", content="It is the handbook."), Turn(role="user", content="How many days?")]
    said = turns_of(RUBRIC, QuestionRecord(id="q", turns=turns, answers=["27"]), letter * 30_000)[1].content
    assert len(said) <= MOST_MATERIAL
    material = json.loads(said)
    assert material["question"] == "How many days?"
    assert material["conversation_before"].startswith("[cut] ")
    assert material["conversation_before"].endswith(f"{letter}\nassistant: It is the handbook.")


def test_a_last_turn_that_fits_is_whole_however_much_was_said_before() -> None:
    turns = [Turn(role="user", content="x" * 31_000), Turn(role="user", content="y" * 11_000)]
    material = json.loads(turns_of(RUBRIC, QuestionRecord(id="q", turns=turns), "27")[1].content)
    assert material["question"] == "y" * 11_000
    short = [Turn(role="user", content="Hello"), Turn(role="user", content="How many?")]
    material = json.loads(turns_of(RUBRIC, QuestionRecord(id="q", turns=short), "27")[1].content)
    assert (material["conversation_before"], material["question"]) == ("user: Hello", "How many?")
    one = json.loads(turns_of(RUBRIC, QuestionRecord(id="q", turns=short[1:]), "27")[1].content)
    assert one == {"question": "How many?", "answer": "27"}


def test_an_own_rubric_is_told_from_the_one_that_ships() -> None:
    own = judge_row(JudgeSpec(model="wise", rubric="Is it polite?"))
    assert (own["rubric"], own["text"]) == ("own", "Is it polite?")
    assert judge_row(JudgeSpec(model="wise", rubric=RUBRIC))["rubric"] == "answers@1"


@pytest.mark.parametrize("model", ["rag:handbook", "agent:helper", "prompt:judge", "search:handbook"])
def test_a_judge_is_a_plain_model(model: str) -> None:
    with pytest.raises(ValueError, match="a judge is a model or a route"):
        JudgeSpec(model=model)


async def test_only_the_chosen_measures_are_taken(bench: Bench) -> None:
    evaluation = await bench.start(4, measures=["answer_f1", "tokens"])
    await bench.work()
    shown = await bench.opened.evaluations.get(ACME, evaluation)
    assert set(shown.figures) == {"succeeded", "answer_f1", "tokens"}
    assert shown.measures == ["answer_f1", "tokens"]
