"""What stands in other chunks of a table or list is read where it is needed."""

from __future__ import annotations

import pytest
from services.agent.tests.answering.answers import kind_of
from services.agent.tests.conftest import LEAVE_QUESTION, Bench, content_of

from agent.testing.scripted_answers import ScriptedSearch, hit
from contracts.retrieval.search import Hit, SearchReply, SearchRequest
from servicekit.core.errors import UpstreamFailed

HEAD = "Model | Price | In stock\nFjord 3 | 749 | 4"
MIDDLE = "Tern Volt | 2890 | 3\nGravel King | 1690 | 5"
END = "Pippo 20 | 329 | 7\nRoadster R | 2190 | 0"
FACTS = {"document_id": "bikes", "title": "Bikes"}


def _chunks() -> list[Hit]:
    found: list[Hit] = []
    start = 0
    for text in (HEAD, MIDDLE, END):
        found.append(hit(text, start=start, rank=len(found), **FACTS))
        start += len(text) + 1
    return found


class _OneAtFirst(ScriptedSearch):
    """Finds the middle chunk alone, unless its document is asked for; fails for that if it is to."""

    fails = False

    async def search(self, request: SearchRequest, token: str) -> SearchReply:
        reply = await super().search(request, token)
        if request.filter is not None:
            if self.fails:
                raise UpstreamFailed("away")
            return reply
        return reply.model_copy(update={"hits": [one for one in reply.hits if one.text == MIDDLE]})


class _InTwo(ScriptedSearch):
    """Finds the middle chunks alone, unless a document of one collection is asked for."""

    async def search(self, request: SearchRequest, token: str) -> SearchReply:
        reply = await super().search(request, token)
        if request.filter is None:
            return reply.model_copy(update={"hits": [one for one in reply.hits if one.text == MIDDLE]})
        return reply.model_copy(update={"hits": [one for one in reply.hits if one.collection in request.collections]})


def _bench(fails: bool = False) -> Bench:
    bench = Bench()
    bench.search = _OneAtFirst(_chunks())
    bench.search.fails = fails
    return bench


async def test_a_row_is_shown_with_names_that_stand_in_another_chunk() -> None:
    content = content_of(await _bench().ask("how much is the Gravel King bike?"))
    assert "Model: Gravel King; Price: 1690; In stock: 5" in content


async def test_all_of_a_table_is_shown_over_its_chunks() -> None:
    answer = await _bench().ask("which bikes do you have in stock?")
    lines = content_of(answer).splitlines()
    assert [line.split(";")[0] for line in lines] == [
        "Model: Fjord 3",
        "Model: Tern Volt",
        "Model: Gravel King",
        "Model: Pippo 20",
        "Model: Roadster R",
    ]
    texts = {one.chunk_id: one for one in _chunks()}
    for cited in answer.choices[0].message.annotations or []:
        chunk = texts[cited.chunk_id]
        assert chunk.text[cited.start - chunk.start : cited.end - chunk.start] == cited.quote


async def test_documents_of_one_id_in_two_collections_are_two() -> None:
    """The price list of cars comes first; that of bikes is read, too."""
    cars = [one.model_copy(update={"collection": "cars", "chunk_id": f"car-{one.chunk_id}"}) for one in _chunks()]
    bench = Bench()
    bench.search = _InTwo([*cars, *_chunks()])
    await bench.ask("which bikes do you have in stock?")
    read = [one.collections for one in bench.search.requests if one.filter is not None]
    assert sorted(read) == [["cars"], ["handbook"]]


@pytest.mark.parametrize("question", ["how does the pump work?", "how do I use it?"])
async def test_no_document_is_read_for_points_that_are_no_steps(question: str) -> None:
    bench = Bench()
    bench.search = ScriptedSearch([hit("The pump moves water.\n\n- It is blue.\n- It is loud.")])
    await bench.ask(question)
    assert [one.filter for one in bench.search.requests] == [None]


async def test_a_document_that_can_not_be_read_costs_no_answer() -> None:
    answer = await _bench(fails=True).ask("how much is the Gravel King bike?")
    assert "1690" in content_of(answer)


async def test_an_ordinary_question_reads_no_further_document() -> None:
    bench = Bench(says="")
    await bench.ask(LEAVE_QUESTION)
    assert [one.filter for one in bench.search.requests] == [None]
    assert kind_of(await Bench(hits=()).ask("list all bikes")) == "abstained"
