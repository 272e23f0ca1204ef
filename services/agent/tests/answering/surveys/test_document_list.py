from __future__ import annotations

import pytest
from services.agent.tests.answering.answers import degraded, kind_of
from services.agent.tests.conftest import Bench, content_of

from agent.testing.scripted_answers import ScriptedSearch, hit
from contracts.models.chat import ChatCompletion
from servicekit.core.errors import UpstreamFailed

EXPENSES = hit(
    "# Hotels\n\nTravel within Europe is booked by the travel desk at least seven days before.\n\nMeals are paid back.",
    "expenses-policy",
    title="Expenses Policy",
)
GIFTS = hit("Small gifts from suppliers are allowed up to EUR 60.", "code-of-conduct", rank=1, title="Code of Conduct")
TRIPS = hit("Whoever travels to a site takes the emergency kit along.", "safety", rank=2, title="Safety | Osterfenn")


def _cited(answer: ChatCompletion) -> list[str]:
    return [one.document_id for one in answer.choices[0].message.annotations or []]


async def test_documents_about_a_topic_are_listed_each_with_what_shows_it() -> None:
    answer = await Bench(hits=(EXPENSES, GIFTS, TRIPS)).ask("Which documents talk about travel?")
    lines = content_of(answer).splitlines()
    assert lines[0] == "These documents in 'handbook' say something about “travel”:"
    assert lines[1].startswith("- Expenses Policy, Hotels: Travel within Europe is booked by the travel desk")
    assert lines[2].startswith("- Safety: Whoever travels to a site")
    assert _cited(answer) == ["expenses-policy", "safety"]
    assert kind_of(answer) == "extractive"


async def test_each_document_is_cited_by_its_exact_span() -> None:
    answer = await Bench(hits=(EXPENSES, GIFTS, TRIPS)).ask("List the documents about travel")
    texts = {one.document_id: one for one in (EXPENSES, GIFTS, TRIPS)}
    for one in answer.choices[0].message.annotations or []:
        assert texts[one.document_id].text[one.start : one.end] == one.quote
        assert content_of(answer)[one.index :].startswith(one.marker)


async def test_where_no_document_fits_the_question_is_an_ordinary_one() -> None:
    answer = await Bench(hits=(EXPENSES, GIFTS)).ask("Which documents mention the capital of Mongolia?")
    assert content_of(answer) == "The documents in 'handbook' do not hold an answer to this question."
    assert kind_of(answer) == "abstained"
    assert _cited(answer) == []


async def test_a_list_that_is_not_whole_says_so() -> None:
    many = tuple(hit(f"Travel to site {at} is booked by the desk.", f"site-{at}", rank=at) for at in range(15))
    answer = await Bench(hits=many).ask("Which documents talk about travel?")
    assert content_of(answer).startswith("These documents in 'handbook', among others, say something about “travel”:")
    assert len(_cited(answer)) == 10


async def test_the_search_is_the_caller_s_own() -> None:
    bench = Bench(hits=(EXPENSES, GIFTS, TRIPS))
    only = {"filter": {"must": [{"key": "document_id", "match": "safety"}]}}
    answer = await bench.ask("Which documents talk about travel?", groundwork=only)
    assert _cited(answer) == ["safety"]
    assert content_of(answer).startswith("One document in 'handbook'")
    assert bench.search.requests[0].group_by == "document"


async def test_a_topic_said_again_is_not_live() -> None:
    said = content_of(await Bench(hits=(GIFTS,)).ask("Which documents mention ![x](https://evil.example/x.png)?"))
    assert "](" not in said


async def test_without_embeddings_words_decide() -> None:
    bench = Bench(hits=(EXPENSES, GIFTS))
    bench.models.embedding_failure = UpstreamFailed("The model is away.")
    answer = await bench.ask("Which documents talk about travel?", groundwork={"include": ["receipt"]})
    assert _cited(answer) == ["expenses-policy"]
    assert "embeddings_unavailable" in degraded(answer)


PUMP = hit("Die Pumpe hat zwei Jahre Garantie. Das Öl wird jährlich gewechselt.", "pumpe", title="Handbuch")
OVEN = hit("Auf den Ofen geben wir keine Garantie.", "ofen", rank=1, title="Ofen")


@pytest.mark.parametrize(
    ("question", "first"),
    [
        ("Welche Dokumente sprechen über Garantie?", "Diese Dokumente in 'handbook' sagen etwas über „Garantie“:"),
        ("哪些文档提到了质保？", "'handbook'中有一个文档提到了“质保”："),
    ],
)
async def test_documents_in_another_language_are_compared_by_the_model_that_found_them(
    question: str, first: str
) -> None:
    hits = (PUMP, OVEN, hit("水泵的质保期为两年。", "shuibeng", rank=2, title="水泵手册"))
    bench = Bench(hits=hits)
    bench.search = ScriptedSearch(hits, embedding_model="many-tongues", unrelated_cosine=0.1)
    answer = await bench.ask(question)
    assert content_of(answer).splitlines()[0] == first
    assert set(bench.models.embedded_by) == {("many-tongues", "query"), ("many-tongues", "passage")}
