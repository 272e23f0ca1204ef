from __future__ import annotations

import pytest
from services.agent.tests.answering.answers import kind_of
from services.agent.tests.conftest import LEAVE, LEAVE_QUESTION, Bench, content_of

from agent.settings import AgentSettings
from agent.testing.scripted_answers import ScriptedSearch, hit
from contracts.retrieval.search import Hit

PUMP = hit(
    "Die Gewährleistung der Pumpe beträgt 24 Monate ab Lieferung. Das Öl wird alle 4000 Stunden gewechselt.",
    title="Handbuch",
)
PUMP_QUESTION = "Wie lange ist die Gewährleistung der Pumpe?"


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


async def test_who_asks_what_is_said_of_a_topic_gets_what_is_said_of_it() -> None:
    told = "And while we are at it, insulin must cost less than 35 dollars."
    bench = Bench(settings=AgentSettings(abstain_threshold=1.0), hits=(hit(told, title="Speech"),))
    answer = await bench.ask("What did the president say about insulin?")
    assert told in content_of(answer)
    assert kind_of(await bench.ask("What did the president say about insulin in Denmark?")) == "abstained"
    assert kind_of(await bench.ask("Who makes insulin?")) == "abstained"


async def test_of_a_code_whose_sibling_alone_is_known_nothing_is_said() -> None:
    told = "The Causeway G1 costs EUR 790."
    answer = await Bench(hits=(hit(told, title="Prices"),), says=told).ask("How much does the Causeway G2 cost?")
    assert kind_of(answer) == "abstained"


@pytest.mark.parametrize(
    ("question", "source", "unrelated", "own"),
    [
        (PUMP_QUESTION, PUMP, 0.5, True),
        ("How long is the guarantee of the pump?", PUMP, 0.5, True),
        ("Wie viele Tage Urlaub gibt es?", LEAVE, 0.5, True),
        (LEAVE_QUESTION, LEAVE, 0.5, False),
        (PUMP_QUESTION, PUMP, 0.0, False),
    ],
    ids=["both", "source", "question", "neither", "nobody said from where its cosines count"],
)
async def test_what_the_usual_model_does_not_read_is_compared_by_the_one_that_found_it(
    question: str, source: Hit, unrelated: float, own: bool
) -> None:
    bench = Bench(hits=(source,))
    bench.search = ScriptedSearch((source,), embedding_model="many-tongues", unrelated_cosine=unrelated)
    await bench.ask(question)
    named = set(bench.models.embedded_by)
    assert named == ({("many-tongues", "query"), ("many-tongues", "passage")} if own else {(None, None)})


async def test_a_question_in_another_language_is_answered_by_the_sentence_that_says_it() -> None:
    bench = Bench(hits=(PUMP,))
    bench.search = ScriptedSearch((PUMP,), embedding_model="many-tongues", unrelated_cosine=0.1)
    answer = await bench.ask(PUMP_QUESTION)
    assert kind_of(answer) == "extractive"
    assert content_of(answer).startswith("Die Gewährleistung der Pumpe beträgt 24 Monate ab Lieferung.")
    assert "4000" not in content_of(answer)
    assert kind_of(await bench.ask("Wer leitet die Buchhaltung in Hamburg?")) == "abstained"
