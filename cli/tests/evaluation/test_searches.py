from __future__ import annotations

import json
import threading
from xml.etree import ElementTree

import httpx2
import pytest
from cli.tests.server import client_of, document, error

from contracts.documents.documents import Document
from groundwork.client import ApiError
from groundwork.errors import QuestionsInvalid
from groundwork.evaluation.plot import draw
from groundwork.evaluation.questions import Question
from groundwork.evaluation.relevance import KnownDocuments, resolve
from groundwork.evaluation.report import Report, make_report
from groundwork.evaluation.searches import Found, NoReranker, Way, ask_all

QUESTIONS = [Question(f"q{number}", f"what is {number}?", {f"d{number}": 1}, "file, line 1") for number in range(12)]
WAYS = [Way("hybrid"), Way("sparse")]


def reply(*ids: str, degraded: tuple[str, ...] = ()) -> httpx2.Response:
    hit = {"collection": "c", "revision": 1, "title": "t", "source": "s", "text": "x", "score": 1.0, "scores": {}}
    hits = [{**hit, "document_id": each, "chunk_id": each, "start": 0, "end": 1} for each in ids]
    return httpx2.Response(200, json={"hits": hits, "degraded": list(degraded), "collection_revision": 1})


def ask(handler: object, ways: list[Way] = WAYS, at_once: int = 3) -> dict[str, Found]:
    with client_of(handler) as client:  # type: ignore[arg-type]
        return ask_all(client, "c", QUESTIONS, ways, depth=20, at_once=at_once, progress=lambda done: None)


def asked(request: httpx2.Request) -> dict[str, object]:
    return dict(json.loads(request.content))


def number_of(request: httpx2.Request) -> str:
    return str(asked(request)["query"]).split()[-1].rstrip("?")


def test_each_question_is_asked_each_way_for_documents_to_the_depth_wanted() -> None:
    bodies: list[dict[str, object]] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        bodies.append(asked(request))
        return reply(f"d{number_of(request)}") if asked(request)["mode"] == "hybrid" else reply()

    found = ask(handler)
    assert found["hybrid"].rankings == {question.id: list(question.relevant) for question in QUESTIONS}
    assert set(map(tuple, found["sparse"].rankings.values())) == {()}
    assert len(bodies) == 24
    assert all(body["limit"] == 20 and body["group_by"] == "document" and body["rerank"] is False for body in bodies)


def test_no_more_searches_are_under_way_than_wanted() -> None:
    lock, under_way, most = threading.Lock(), 0, 0
    together = threading.Barrier(3)

    def handler(request: httpx2.Request) -> httpx2.Response:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        together.wait(timeout=60)
        with lock:
            under_way -= 1
        return reply()

    ask(handler, at_once=3)
    assert most == 3


def test_a_busy_server_is_asked_again_and_a_broken_one_is_not() -> None:
    busy: set[str] = set()

    def sometimes_busy(request: httpx2.Request) -> httpx2.Response:
        body = request.content.decode()
        if body not in busy:
            busy.add(body)
            return error(429, "rate_limited", **{"Retry-After": "0"})
        return reply("d0")

    assert len(ask(sometimes_busy)["hybrid"].rankings) == 12
    calls = 0

    def broken(request: httpx2.Request) -> httpx2.Response:
        nonlocal calls
        calls += 1
        return error(500, "internal")

    with pytest.raises(ApiError):
        ask(broken)
    assert calls < 24


def test_without_a_reranker_reranking_is_refused_in_a_sentence() -> None:
    with pytest.raises(NoReranker, match="leave out --rerank"):
        ask(lambda request: reply("d1", degraded=("rerank_unavailable",)), [Way("hybrid", rerank=True)])


def test_searches_that_went_without_something_are_counted() -> None:
    found = ask(lambda request: reply("d1", degraded=("dense_unavailable",)))
    assert found["hybrid"].degraded == {"dense_unavailable": 12}


def known(*pairs: tuple[str, str]) -> KnownDocuments:
    return KnownDocuments(Document.model_validate(document(id=id_, source=source)) for id_, source in pairs)


def test_documents_are_named_by_id_source_or_file_name() -> None:
    documents = known(("leave-1f", "handbook/leave.md"), ("b", "b.md"), ("b.md", "other.md"))
    question = Question("q", "?", {"leave.md": 1, "handbook/leave.md": 2, "b.md": 1, "b": 3}, "f, line 1")
    assert resolve([question], documents)[0].relevant == {"leave-1f": 2, "b.md": 1, "b": 3}


def test_an_ambiguous_name_is_refused_with_the_ids_that_it_may_mean() -> None:
    documents = known(("one", "a/x.md"), ("two", "b/x.md"))
    with pytest.raises(QuestionsInvalid, match=r"questions\.jsonl, line 4: 'x\.md' .* one, two"):
        resolve([Question("q", "?", {"x.md": 1}, "questions.jsonl, line 4")], documents)


def test_unknown_documents_are_refused_unless_they_may_be_missing() -> None:
    questions = [Question(str(at), "?", {f"no-{at}": 1}, f"f, line {at}") for at in range(5)]
    with pytest.raises(QuestionsInvalid, match=r"'no-0' \(f, line 0\), .* and 2 more\..*--allow-missing"):
        resolve(questions, known(("a", "a.md")))
    assert resolve(questions, known(("a", "a.md")), allow_missing=True)[0].relevant == {"no-0": 1}


@pytest.fixture
def report() -> Report:
    hybrid, sparse = Found(), Found()
    for number, question in enumerate(QUESTIONS):
        for found, ranking in ((hybrid, [f"d{number}"]), (sparse, ["x", f"d{number}"] if number < 9 else ["x"])):
            found.rankings[question.id] = ranking
            found.milliseconds[question.id] = 10.0 + number
    return make_report("c <&> d", QUESTIONS, 3, {"hybrid": hybrid, "sparse": sparse}, (5, 20))


def test_a_report_has_means_intervals_and_each_questions_figures(report: Report) -> None:
    assert report.measures == ["nDCG@10", "recall@5", "recall@20", "MRR"]
    assert report.results["hybrid"].means["nDCG@10"].value == 1
    assert report.results["sparse"].means["recall@5"].value == 0.75
    assert report.results["sparse"].milliseconds == 15.5
    [comparison] = report.comparisons
    assert (comparison.wins, comparison.ties, comparison.losses) == (12, 0, 0)
    assert comparison.p < 0.01
    saved = json.loads(json.dumps(report.as_json()))
    assert saved["questions_without_relevant_documents"] == 3
    first = saved["by_question"][0]
    assert first["ways"]["sparse"] == {
        "nDCG@10": pytest.approx(0.6309, abs=1e-4),
        "recall@5": 1.0,
        "recall@20": 1.0,
        "MRR": 0.5,
        "milliseconds": 10.0,
        "found": ["x", "d0"],
    }


def test_the_plot_is_a_picture_that_shows_means_and_each_difference(report: Report) -> None:
    picture = ElementTree.fromstring(draw(report))
    words = " ".join("".join(element.itertext()) for element in picture.iter("{http://www.w3.org/2000/svg}text"))
    assert "c <&> d" in words
    assert "1.000" in words
    assert "0.750" in words
    assert "12 better with hybrid" in words
    assert "unlikely to be luck" in words
    hints = ["".join(hint.itertext()) for hint in picture.iter("{http://www.w3.org/2000/svg}title")]
    assert len(hints) == 12
    assert all(any(question.text in hint for hint in hints) for question in QUESTIONS)
    assert draw(report) == draw(report)
