from __future__ import annotations

import pytest
from services.agent.tests.answering.answers import INCLUDE, RIGHT, kind_of
from services.agent.tests.conftest import LEAVE, LEAVE_QUESTION, Bench

from agent.settings import AgentSettings
from agent.testing.scripted_answers import hit
from contracts.retrieval.search import Filter, Neighbour, SearchRequest


async def test_no_hits_is_an_abstention() -> None:
    assert kind_of(await Bench(hits=()).ask(LEAVE_QUESTION)) == "abstained"


@pytest.mark.parametrize("grounding", ["strict", "annotate", "off"])
@pytest.mark.parametrize("stream", [True, False])
async def test_every_search_option_is_passed_on_every_path(grounding: str, stream: bool) -> None:
    narrow = Filter.model_validate({"must": [{"key": "metadata.team", "match": "hr"}]})
    options = {"filter": narrow.model_dump(), "top_k": 3, "mode": "sparse", "rerank": True, "grounding": grounding}
    bench = Bench(says=RIGHT)
    await (bench.stream if stream else bench.ask)(LEAVE_QUESTION, groundwork=options, model="rag:a,b")
    assert bench.search.requests == [
        SearchRequest(collections=["a", "b"], query=LEAVE_QUESTION, limit=3, filter=narrow, mode="sparse", rerank=True)
    ]


async def test_what_stands_beside_a_hit_is_read_and_cited_with_its_own_span() -> None:
    before, after = "Leave is granted by the team lead.", LEAVE.text
    first = hit("The rules on leave follow in the next part.", start=100)
    beside = [
        Neighbour(chunk_id="near:0", text=before, start=0, end=len(before)),
        Neighbour(chunk_id="near:200", text=after, page=7, start=200, end=200 + len(after)),
    ]
    bench = Bench(says=RIGHT, settings=AgentSettings(neighbours=1))
    bench.search.hits = [first.model_copy(update={"neighbours": beside})]
    answer = await bench.ask(LEAVE_QUESTION, groundwork=INCLUDE)
    assert bench.search.requests[0].neighbours == 1
    (cited,) = answer.choices[0].message.annotations or []
    assert (cited.chunk_id, cited.page, cited.document_id) == ("near:200", 7, first.document_id)
    assert after[cited.start - 200 : cited.end - 200] == cited.quote
    assert answer.groundwork is not None
    assert {source.chunk_id for source in answer.groundwork.sources or []} == {"doc:100", "near:0", "near:200"}
