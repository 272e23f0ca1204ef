from __future__ import annotations

import pytest
from services.agent.tests.answering.answers import degraded
from services.agent.tests.conftest import LEAVE_QUESTION, Bench

from agent.answering.searching.second_hop import joined, leads_to
from agent.testing.scripted_answers import ScriptedSearch, hit
from contracts.retrieval.search import Hit, SearchReply, SearchRequest
from servicekit.core.errors import ServiceError, UpstreamFailed

QUESTION = "Which office does the manager of Project Heron sit in?"
LEAD = hit("Project Heron is led by Ana Koller since spring.", "projects")
PLACE = hit("Ana Koller: third floor, office 3.12.", "floors")
OTHERS = [hit(f"Project number {number} has no manager.", f"other-{number}", rank=number) for number in range(1, 8)]


def test_the_words_are_the_first_hits_names_and_what_it_lacks_of_the_question() -> None:
    assert leads_to(QUESTION, LEAD) == "Ana Koller office manager sit"


@pytest.mark.parametrize(
    ("question", "first"),
    [
        ("Who leads Project Heron?", hit("Who leads Project Heron? Project Heron's leader is Ana Koller.")),
        (QUESTION, hit("there is nothing about that here.", title="notes")),
    ],
    ids=["it has all of the question", "it names nothing new"],
)
def test_some_hits_lead_nowhere(question: str, first: Hit) -> None:
    assert leads_to(question, first) is None


def test_the_second_search_takes_the_last_places_and_keeps_the_order_of_scores() -> None:
    found = joined([LEAD, *OTHERS], [LEAD, PLACE], 8)
    assert [one.document_id for one in found] == ["projects", *(f"other-{number}" for number in range(1, 7)), "floors"]
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)


def test_what_stood_beside_the_hits_stays() -> None:
    beside = hit("It is a bird, too.", "projects", start=900)
    assert joined([LEAD, *OTHERS, beside], [beside, PLACE], 8)[-2:] == [
        PLACE.model_copy(update={"score": OTHERS[5].score}),
        beside,
    ]


def test_a_hit_of_both_searches_is_there_once() -> None:
    found = joined([LEAD, *OTHERS], [OTHERS[6], PLACE], 8)
    assert len(found) == len({one.chunk_id for one in found}) == 8


class _Onward(ScriptedSearch):
    """Finds the second document by its name alone, or fails there."""

    gone: ServiceError | None = None

    async def search(self, request: SearchRequest, token: str) -> SearchReply:
        reply = await super().search(request, token)
        if request.mode != "sparse":
            return reply
        if self.gone is not None:
            raise self.gone
        return reply.model_copy(update={"hits": [PLACE] if "Koller" in request.query else []})


def _bench(gone: ServiceError | None = None) -> Bench:
    bench = Bench()
    bench.search = _Onward((LEAD, *OTHERS))
    bench.search.gone = gone
    return bench


async def test_a_question_that_names_what_it_asks_for_by_another_document_gets_both() -> None:
    bench = _bench()
    answer = await bench.ask(QUESTION, groundwork={"include": ["sources"]})
    assert [request.mode for request in bench.search.requests] == [None, "sparse"]
    assert answer.groundwork is not None
    assert "floors" in {source.document_id for source in answer.groundwork.sources or []}


@pytest.mark.parametrize("options", [{"mode": "sparse"}, {"mode": "dense"}, {"top_k": 4}])
async def test_who_says_how_to_search_is_searched_for_once(options: dict[str, object]) -> None:
    bench = _bench()
    await bench.ask(QUESTION, groundwork=options)
    assert len(bench.search.requests) == 1


async def test_where_all_there_is_was_found_there_is_no_second_search() -> None:
    bench = Bench()
    await bench.ask(LEAVE_QUESTION)
    assert len(bench.search.requests) == 1


async def test_an_answer_does_without_a_second_search_that_fails() -> None:
    options = {"include": ["receipt", "sources"]}
    answer = await _bench(UpstreamFailed("The search is away.")).ask(QUESTION, groundwork=options)
    assert "second_hop_unavailable" in degraded(answer)
    assert answer.groundwork is not None
    assert len(answer.groundwork.sources or []) == len((LEAD, *OTHERS))
