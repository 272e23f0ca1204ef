from __future__ import annotations

import pytest
from services.agent.tests.answering.answers import kind_of
from services.agent.tests.conftest import LEAVE_QUESTION, Bench, content_of

from agent.settings import AgentSettings
from agent.testing.scripted_answers import hit


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


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ("What are the COVID-19 rules for visitors?", "COVID rules for visitors: wear a mask."),
        ("Are we certified to ISO-9001?", "We are certified to ISO 9001 since 2015."),
        ("May I use GPT-4 for work?", "GPT 4 may be used for work."),
        ("Is Windows11 supported?", "Windows 11 is supported."),
        ("Who signs an order of EUR5000?", "An order of EUR 5,000 is signed by the manager."),
        ("Does it support OAuth2 for login?", "It does support OAuth 2.0 for login."),
        ("Who approved the loan of 1.5 million?", "The board approved the loan of 1.5 million."),
        ("Is the 401k plan matched?", "The 401k plan is matched by the company."),
    ],
)
async def test_an_answer_that_names_a_thing_in_another_spelling_is_given(question: str, told: str) -> None:
    assert kind_of(await Bench(hits=(hit(told, title="Handbook"),), says=told).ask(question)) != "abstained"


async def test_of_a_code_whose_sibling_alone_is_known_nothing_is_said() -> None:
    told = "The Causeway G1 costs EUR 790."
    answer = await Bench(hits=(hit(told, title="Prices"),), says=told).ask("How much does the Causeway G2 cost?")
    assert kind_of(answer) == "abstained"
