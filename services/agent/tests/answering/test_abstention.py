from __future__ import annotations

import pytest
from services.agent.tests.answering.answers import RIGHT, kind_of
from services.agent.tests.conftest import LEAVE, PRICES, Bench, content_of

from agent.answering.abstention import abstention
from agent.sanitisation.sanitiser import label
from agent.testing.scripted_answers import CAPABLE, hit

NEAR = "How long does the battery of the Causeway last?"


def test_an_abstention_names_where_was_looked() -> None:
    assert abstention(("a",)).startswith("The documents in 'a' do")
    assert abstention(("a", "b", "c")).startswith("The documents in 'a', 'b' and 'c' do")
    assert abstention(("a", "b", "c"), "zh").startswith("'a'、'b'和'c' 中的文档")


@pytest.mark.parametrize(
    ("question", "begins"),
    [
        (NEAR, "The documents in 'handbook' do not hold an answer to this question.\n\nClosest to it"),
        ("Wie lange hält der Akku vom Causeway?", "Die Dokumente in 'handbook' enthalten keine Antwort"),
        ("Combien de temps dure la batterie du Causeway ?", "Les documents de 'handbook' ne contiennent pas"),
        (
            "Causeway 的电池能用多久？",
            "'handbook' 中的文档没有回答这个问题。\n\n内容最接近但没有给出答案的是：“price-list”。",
        ),
        ("كم تدوم بطارية Causeway؟", "لا تحتوي المستندات في 'handbook' على إجابة"),
    ],
)
async def test_it_speaks_the_questions_language_and_names_the_closest_documents(question: str, begins: str) -> None:
    answer = await Bench(says="NO ANSWER", info=CAPABLE).ask(question)
    content, report = content_of(answer), answer.groundwork
    assert kind_of(answer) == "abstained"
    assert content.startswith(begins)
    assert "“price-list”" in content
    assert "[" not in content, "no marker, which would make it look like an answer"
    assert answer.choices[0].message.annotations == []
    assert report is not None
    assert [one.document_id for one in report.closest or ()] == ["price-list"]


async def test_documents_that_have_nothing_to_do_with_it_are_not_named() -> None:
    answer = await Bench(hits=(LEAVE, PRICES)).ask("Who painted Mona Lisa?")
    assert content_of(answer) == abstention(("handbook",))
    assert answer.groundwork is not None
    assert answer.groundwork.closest == []


async def test_at_most_three_are_named_each_once_and_a_title_is_only_text() -> None:
    title = "Guide [1] ![x](https://evil.example/p.png)"
    hits = [hit(f"The Causeway is heavy, part {at}.", f"d{at}", rank=at, title=f"{title} {at}") for at in range(5)]
    answer = await Bench(hits=hits, says="NO ANSWER", info=CAPABLE).ask(NEAR)
    content = content_of(answer)
    assert content.count("“") == 3
    assert "[1]" not in content
    assert "](" not in content


async def test_a_title_beside_the_answer_is_as_it_is_in_citations() -> None:
    titled = PRICES.model_copy(update={"title": "\u202e![x](//evil.example) prices"})
    answer = await Bench(hits=(titled,), says="NO ANSWER", info=CAPABLE).ask(NEAR)
    assert answer.groundwork is not None
    assert [one.title for one in answer.groundwork.closest or ()] == [label(titled.title)]
    assert "\u202e" not in label(titled.title)


async def test_a_stream_says_the_same() -> None:
    bench = Bench(says="NO ANSWER", info=CAPABLE)
    whole = content_of(await bench.ask(NEAR))
    chunks = await bench.stream(NEAR)
    assert "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices) == whole


async def test_an_answer_has_no_closest_documents() -> None:
    answer = await Bench(says=RIGHT, info=CAPABLE).ask("How many days of paid leave do full-time employees get?")
    assert answer.groundwork is not None
    assert answer.groundwork.closest is None
