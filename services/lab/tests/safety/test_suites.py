from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import pytest
from services.lab.tests.evaluations.asking import ACME, OWNER, Bench

from contracts.core.errors import ErrorBody
from contracts.improvement.evaluations import Evaluation, EvaluationCreate, SafetySuite
from contracts.improvement.question_sets import QuestionRecord
from lab.dependencies import Dependencies
from lab.errors import NoQuestions, QuestionSetVersionNotFound
from lab.evaluations.measures import Said
from lab.evaluations.target import Answered
from lab.safety.measures import SafetyRule, measure_safety, rule_of
from lab.safety.suites import read_suite

SUITES = get_args(SafetySuite)
MEASURES = {
    "safety:injection": {"injection_resisted", "answer_found"},
    "safety:personal-data": {"personal_data_kept", "answer_found"},
    "safety:harmful": {"harmful_refused", "benign_answered"},
    "safety:groups": {"pair_decided", "pair_same"},
}
REFUSAL = "I'm sorry, but I can't help with that."


@pytest.fixture
def bench(opened: Dependencies) -> Bench:
    return Bench(opened)


def _rule(question: QuestionRecord) -> SafetyRule:
    rule = rule_of(question.metadata)
    assert rule is not None, question.id
    return rule


def _good(question: QuestionRecord) -> str:
    rule = _rule(question)
    if rule.options:
        return rule.options[0]
    return REFUSAL if rule.expect == "refusal" else (question.answers or ["It is masked: ***"])[0]


def _bad(question: QuestionRecord) -> str:
    rule = _rule(question)
    if rule.options:
        return rule.options[bool(rule.pair)]
    return REFUSAL if rule.expect == "answer" else " ".join([*rule.markers, *rule.private, "Do it like this."])


async def _run(bench: Bench, suite: str, say: Callable[[QuestionRecord], str]) -> Evaluation:
    bench.target.script = lambda question, _: Answered(Said(say(question)), 1.0)
    return await _start(bench, suite)


async def _start(bench: Bench, suite: str) -> Evaluation:
    wanted = EvaluationCreate.model_validate({"question_set": suite, "target": {"model": "m"}})
    started = await bench.opened.evaluations.create(ACME, OWNER, wanted)
    await bench.work()
    return await bench.opened.evaluations.get(ACME, started.id)


@pytest.mark.parametrize("suite", SUITES)
async def test_each_suite_can_be_passed_and_failed_and_tells_the_two_apart(bench: Bench, suite: str) -> None:
    good, bad = await _run(bench, suite, _good), await _run(bench, suite, _bad)
    assert (good.status, good.question_set, good.version) == ("completed", suite, 1)
    for measure in MEASURES[suite]:
        assert good.figures[measure].mean == 1, measure
        assert bad.figures[measure].mean == (1 if measure == "pair_decided" else 0), measure
    found = await bench.opened.evaluations.compare(ACME, bad.id, good.id)
    worse = {one.measure for one in found.measures if one.label is None and one.verdict == "worse"}
    assert MEASURES[suite] - {"pair_decided"} <= worse


@pytest.mark.parametrize("suite", SUITES)
async def test_refusing_everything_passes_no_suite(bench: Bench, suite: str) -> None:
    run = await _run(bench, suite, lambda _: REFUSAL)
    if suite == "safety:groups":  # a refusal is the same for both: the answers say it
        answers = (await bench.opened.evaluations.list_answers(ACME, run.id, 200, None)).data
        assert {one.report["decision"] for one in answers} == {"(refused)"}
    else:
        assert min(run.figures[measure].mean for measure in MEASURES[suite]) == 0


@pytest.mark.parametrize("code", ["content_blocked", "content_filter"])
async def test_what_a_guardrail_blocks_is_refused_and_stays_in_the_figures(bench: Bench, code: str) -> None:
    error = ErrorBody(type="content_blocked", code=code, message="Blocked.", param=None)
    bench.target.script = lambda question, _: Answered(Said(""), 1.0, error=error)
    run = await _start(bench, "safety:harmful")
    assert (run.status, run.done, run.failed, run.figures["succeeded"].mean) == ("completed", 40, 0, 1)
    assert (run.figures["harmful_refused"].mean, run.figures["harmful_refused"].questions) == (1, 20)
    assert (run.figures["benign_answered"].mean, run.figures["benign_answered"].questions) == (0, 20)
    assert "answered" not in run.figures, "a model does not tell whether it abstained"
    answers = (await bench.opened.evaluations.list_answers(ACME, run.id, 1, None)).data
    assert (answers[0].error, answers[0].report["blocked"]) == (None, {"code": code, "message": "Blocked."})


async def test_a_pair_of_which_one_is_blocked_is_not_decided_alike(bench: Bench) -> None:
    error = ErrorBody(type="content_blocked", code="content_blocked", message="Blocked.", param=None)

    def script(question: QuestionRecord, _: int) -> Answered:
        rule = _rule(question)
        return Answered(Said(""), 1.0, error=error) if rule.pair else Answered(Said(rule.options[0]), 1.0)

    bench.target.script = script
    run = await _start(bench, "safety:groups")
    assert (run.figures["pair_same"].mean, run.figures["pair_same"].questions) == (0, 20)


async def test_what_is_blocked_without_a_safety_rule_has_no_answer(bench: Bench) -> None:
    error = ErrorBody(type="content_blocked", code="content_blocked", message="Blocked.", param=None)
    bench.target.script = lambda question, _: Answered(Said(""), 1.0, error=error)
    started = await bench.start(4)
    await bench.work()
    run = await bench.opened.evaluations.get(ACME, started)
    assert (run.done, run.failed, run.figures["succeeded"].mean) == (4, 4, 0)


async def test_a_pair_counts_once_and_is_compared_pair_by_pair(bench: Bench) -> None:
    run = await _run(bench, "safety:groups", _bad)
    assert (run.figures["pair_same"].questions, run.figures["pair_decided"].questions) == (20, 40)
    page = await bench.opened.evaluations.list_answers(ACME, run.id, 200, None, "pair_same")
    assert len(page.data) == 20
    assert all(one.known is not None for one in page.data)


async def test_a_pair_of_which_one_got_no_answer_is_left_out(bench: Bench) -> None:
    bench.target.script = lambda question, _: Answered(Said("yes"), 1.0)
    run = await _run(bench, "safety:groups", lambda question: "" if question.id == "groups-01-a" else "1 yes")
    assert run.figures["pair_same"].questions == 20
    answers = (await bench.opened.evaluations.list_answers(ACME, run.id, 200, None, "pair_same")).data
    assert (answers[0].question_id, answers[0].figures["pair_same"]) == ("groups-01-b", 0), "nothing said is a refusal"


@pytest.mark.parametrize("said", ["On 3 March 1986.", "On 3 March.", "Her birthday is March 3.", "In 1986."])
def test_a_birthday_is_kept_without_its_year_too(said: str) -> None:
    question = next(one for one in read_suite("safety:personal-data").questions if one.id == "personal-data-09")
    assert measure_safety(_rule(question), said).figures["personal_data_kept"] == 0


@pytest.mark.parametrize("suite", SUITES)
def test_a_suite_is_sound(suite: str) -> None:
    questions = {one.id: one for one in read_suite(suite).questions}
    assert len(questions) == read_suite(suite).about.questions >= 20
    for question in questions.values():
        rule = _rule(question)
        said = question.question or " ".join(turn.content for turn in question.turns or ())
        assert all(answer.casefold() in said.casefold() for answer in question.answers) or question.answers, question.id
        if rule.pair is not None:
            assert _rule(questions[rule.pair]).options == rule.options
        assert not any(value in answer for value in rule.markers for answer in question.answers)


async def test_what_a_suite_has_not_is_refused(bench: Bench) -> None:
    def wanted(**more: object) -> EvaluationCreate:
        return EvaluationCreate.model_validate({"question_set": SUITES[0], "target": {"model": "m"}, **more})

    with pytest.raises(QuestionSetVersionNotFound):
        await bench.opened.evaluations.create(ACME, OWNER, wanted(version=2))
    with pytest.raises(NoQuestions):
        await bench.opened.evaluations.create(ACME, OWNER, wanted(split="test"))
