from __future__ import annotations

import pytest
from services.agent.tests.answering.answers import kind_of
from services.agent.tests.conftest import LEAVE_QUESTION, Bench, content_of

from agent.settings import AgentSettings


@pytest.mark.parametrize("question", ["Who painted The Night Watch?", "What is the boiling point of ethanol?"])
async def test_a_question_that_the_sources_do_not_answer_is_not_put_to_a_model(question: str) -> None:
    bench = Bench(says="Rembrandt painted it at 78 degrees.")
    answer = await bench.ask(question, model="rag:handbook,manuals")
    assert kind_of(answer) == "abstained"
    assert "'handbook' and 'manuals'" in content_of(answer)
    assert answer.choices[0].message.annotations == []
    assert bench.models.requests == []


@pytest.mark.parametrize("threshold", [0.0, 1.0])
async def test_one_setting_moves_along_the_abstention_curve(threshold: float) -> None:
    answer = await Bench(settings=AgentSettings(abstain_threshold=threshold)).ask(LEAVE_QUESTION)
    assert (kind_of(answer) == "abstained") is (threshold == 1.0)
