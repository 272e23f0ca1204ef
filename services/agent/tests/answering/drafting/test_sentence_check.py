from __future__ import annotations

from services.agent.tests.answering.answers import RIGHT, kind_of
from services.agent.tests.conftest import LEAVE, LEAVE_QUESTION, Bench

from agent.settings import AgentSettings
from agent.testing.scripted_answers import CAPABLE, hit


async def test_a_hit_whose_offsets_do_not_fit_is_never_cited() -> None:
    broken = LEAVE.model_copy(update={"end": LEAVE.end + 1})
    answer = await Bench(hits=[broken], says=RIGHT).ask(LEAVE_QUESTION)
    assert kind_of(answer) == "abstained"


async def test_a_sentence_beside_the_question_finds_its_span_too() -> None:
    many = " ".join(f"Employees of group {at} get {20 + at} days of paid leave per year." for at in range(12))
    source = hit(f"{RIGHT} {many} The canteen opens at noon on working days.", "leave-policy")
    says = f"{RIGHT} The canteen opens at noon on working days."
    bench = Bench(hits=[source], says=says, info=CAPABLE, settings=AgentSettings(compared_passages=4))
    answer = await bench.ask(LEAVE_QUESTION)
    quotes = [one.quote for one in answer.choices[0].message.annotations or []]
    assert "The canteen opens at noon on working days." in quotes
