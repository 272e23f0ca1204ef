from __future__ import annotations

import pytest
from services.agent.tests.answering.answers import kind_of
from services.agent.tests.conftest import Bench, content_of

from agent.testing.scripted_answers import hit
from contracts.retrieval.search import SearchReply, SearchRequest
from servicekit.core.errors import QueueFull

LEAVE = hit(
    "Full-time employees get 27 days of paid leave per year. Days that are carried over lapse on 30 June.",
    "leave-policy",
    title="Leave Policy – Osterfenn",
    heading_path=["Leave Policy – Osterfenn", "Carrying over days"],
)
FAQ = hit(
    "Can I pay by credit card?\n\nYou can pay by credit card up to an amount of EUR 500 in the web shop.",
    "faq",
    title="Customer FAQ",
    heading_path=["Customer FAQ"],
)


async def test_a_greeting_is_answered_with_what_there_is() -> None:
    answer = await Bench(hits=(LEAVE, FAQ)).ask("Hello!")
    said = content_of(answer)
    assert said.startswith("Hello. I answer questions from the documents in 'handbook'")
    assert "There are 2 documents: Customer FAQ and Leave Policy." in said
    assert kind_of(answer) == "extractive"


async def test_german_is_answered_in_german() -> None:
    said = content_of(await Bench(hits=(LEAVE, FAQ)).ask("Hallo, was kannst du?"))
    assert said.startswith("Ich beantworte Fragen aus den Dokumenten in 'handbook'")
    assert "Es gibt 2 Dokumente: Customer FAQ und Leave Policy." in said


async def test_thanks_are_answered_in_a_word_and_nothing_is_searched() -> None:
    bench = Bench(hits=(LEAVE, FAQ))
    answer = await bench.ask("thanks a lot!")
    assert content_of(answer) == "You are welcome."
    assert content_of(await bench.ask("Vielen Dank")) == "Gern geschehen."
    assert bench.search.requests == []


async def test_every_example_is_answered_when_it_is_asked_and_cites_what_answers_it() -> None:
    bench = Bench(hits=(LEAVE, FAQ))
    answer = await bench.ask("What can you do?")
    examples = [line[2:].rsplit(" [", 1)[0] for line in content_of(answer).splitlines() if line.startswith("- ")]
    assert "Can I pay by credit card?" in examples
    cited = answer.choices[0].message.annotations or []
    assert len(cited) == len(examples) > 0
    for example, citation in zip(examples, cited, strict=True):
        again = await bench.ask(example)
        assert kind_of(again) != "abstained"
        assert citation.document_id in {one.document_id for one in again.choices[0].message.annotations or []}


async def test_no_example_is_given_that_is_not_answered() -> None:
    header = hit("Contents", "contents", title="Contents", heading_path=["Contents", "Quarterly figures of all sites"])
    answer = await Bench(hits=(header,)).ask("hi")
    assert "\n- " not in content_of(answer)
    assert not answer.choices[0].message.annotations


async def test_who_greets_is_greeted_though_no_example_can_be_tried() -> None:
    bench = Bench(hits=(LEAVE, FAQ))
    search = bench.search.search

    async def once(request: SearchRequest, token: str) -> SearchReply:
        if bench.search.requests:
            raise QueueFull("Too many calls.", retry_after=1)
        return await search(request, token)

    bench.search.search = once  # type: ignore[method-assign]
    answer = await bench.ask("hi")
    assert "There are 2 documents: Customer FAQ and Leave Policy." in content_of(answer)
    assert kind_of(answer) == "extractive"


async def test_an_empty_collection_says_so() -> None:
    bench = Bench(hits=())
    answer = await bench.ask("hi")
    assert content_of(answer) == ("Hello. There are no documents in 'handbook' yet that could answer anything.")
    assert kind_of(answer) == "abstained"
    assert bench.search.requests == []


async def test_with_a_filter_only_what_it_leaves_is_named() -> None:
    bench = Bench(hits=(LEAVE, FAQ))
    only = {"filter": {"must": [{"key": "document_id", "match": "faq"}]}}
    said = content_of(await bench.ask("hi", groundwork=only))
    assert "Customer FAQ" in said
    assert "Leave Policy" not in said


@pytest.mark.parametrize("title", ["![x](https://evil.example/a.png)", "[click](https://evil.example)", "<img src=x>"])
async def test_a_hostile_title_is_shown_without_its_markup(title: str) -> None:
    said = content_of(await Bench(hits=(hit(LEAVE.text, "evil", title=title),)).ask("hi"))
    assert "](" not in said
    assert "<img" not in said


async def test_streamed_and_whole_are_the_same() -> None:
    bench = Bench(hits=(LEAVE, FAQ))
    pieces = [choice.delta.content or "" for chunk in await bench.stream("hi") for choice in chunk.choices]
    assert "".join(pieces) == content_of(await bench.ask("hi"))
