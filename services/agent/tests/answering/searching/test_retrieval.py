from __future__ import annotations

import asyncio

import pytest
from services.agent.tests.answering.answers import INCLUDE, RIGHT, degraded, kind_of
from services.agent.tests.conftest import LEAVE, LEAVE_QUESTION, Bench

from agent.settings import AgentSettings
from agent.testing.scripted_answers import CAPABLE, ScriptedModels, ScriptedSearch, hit
from contracts.retrieval.search import Filter, Neighbour, SearchReply, SearchRequest
from servicekit.core.errors import RateLimited, ServiceError, UpstreamFailed


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


class _PartlyAway(ScriptedSearch):
    """Fails for the queries that are named; with `waiting` the others never end by themselves."""

    def __init__(self, failing: str, failure: ServiceError, waiting: bool = False) -> None:
        super().__init__((LEAVE,))
        self.failing, self.error, self.waiting = failing, failure, waiting
        self.ended: list[str] = []

    async def search(self, request: SearchRequest, token: str) -> SearchReply:
        if request.query == self.failing:
            raise self.error
        try:
            if self.waiting:
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.ended.append(request.query)
            raise
        return await super().search(request, token)


def _rewriting(search: ScriptedSearch) -> Bench:
    bench = Bench(info=CAPABLE)
    bench.search = search
    bench.models = ScriptedModels(
        lambda asked: ["days of vacation"] if "search engine" in asked.messages[0].plain_text() else [RIGHT], CAPABLE
    )
    return bench


async def test_a_search_beside_the_questions_own_that_fails_is_done_without() -> None:
    bench = _rewriting(_PartlyAway("days of vacation", UpstreamFailed("The search is away.")))
    answer = await bench.ask(LEAVE_QUESTION, groundwork={**INCLUDE, "rewrite": "several"})
    assert kind_of(answer) == "generated"
    assert degraded(answer) == ["rewrite_unavailable"]


@pytest.mark.parametrize(
    ("failing", "failure", "other"),
    [
        (LEAVE_QUESTION, UpstreamFailed("The search is away."), "days of vacation"),
        ("days of vacation", RateLimited("Too many.", retry_after=3), LEAVE_QUESTION),
    ],
)
async def test_a_failure_that_ends_the_answer_ends_the_other_searches(
    failing: str, failure: ServiceError, other: str
) -> None:
    search = _PartlyAway(failing, failure, waiting=True)
    with pytest.raises(type(failure)):
        await _rewriting(search).ask(LEAVE_QUESTION, groundwork={"rewrite": "several"})
    assert search.ended == [other]
