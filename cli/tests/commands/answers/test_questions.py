from __future__ import annotations

from typing import Any

import httpx2
import pytest
from cli.tests.server import Recorder, Serve, by_path, document, error, page, sse
from cli.tests.terminal import output, run

ODD = r"So \[ 2x = 4 \] and :warning: :key: [red]x[/red] [/] \\[b] C:\[a]" + "\\"


def test_a_quote_is_exact(serve: Serve) -> None:
    note = {"marker": "[1]", "title": ODD, "source": ODD, "quote": ODD, "index": 0}
    ids = {"document_id": "d", "revision": 1, "chunk_id": "k", "collection": "c"}
    link = {"start_index": 0, "end_index": 3, "url": "/v1/collections/c/documents/d/content", "title": ODD}
    cited = {**note, **ids, "start": 0, "end": 1, "score": 0.5, "url_citation": link}
    chunk = {"id": "a", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    delta = {"content": f"{ODD}\t[1]", "annotations": [cited]}
    stream = sse({**chunk, "choices": [{"index": 0, "delta": delta, "finish_reason": "stop"}]}, "[DONE]")
    serve(by_path(completions=stream))
    assert output("ask", "why?", "-c", "c") == f"{ODD}\t[1]\n\n[1] {ODD} ({ODD})\n    “{ODD}”\n"


def test_a_hit_is_exact(serve: Serve) -> None:
    hit = {"title": ODD, "source": ODD, "text": ODD, "heading_path": [ODD], "score": 0.5, "chunk_id": "k"}
    more = {"document_id": "d", "revision": 1, "collection": "c", "start": 0, "end": 1, "scores": {}}
    reply = httpx2.Response(200, json={"hits": [{**hit, **more}], "collection_revision": 1})
    serve(by_path(search=reply))
    assert output("search", "x", "-c", "c") == f"1. {ODD} ({ODD})  score 0.500\n   {ODD}\n   {ODD}\n"


def hit(**fields: Any) -> dict[str, Any]:
    ids = {"document_id": "d", "revision": 1, "collection": "c", "chunk_id": "k", "start": 0, "end": 1, "scores": {}}
    return {**ids, "title": "T", "source": "t.md", "text": "x", "score": 0.5, **fields}


def found(*hits: dict[str, Any], degraded: tuple[str, ...] = ()) -> httpx2.Response:
    return httpx2.Response(200, json={"hits": hits, "degraded": degraded, "collection_revision": 1})


def test_hits_are_numbered_with_their_page_and_long_ones_are_shortened(serve: Serve) -> None:
    serve(by_path(search=found(hit(page=7), hit(text="a\n b " * 100))))
    first, _, second, text = output("search", "x", "-c", "c").splitlines()
    assert first == "1. T (t.md, page 7)  score 0.500"
    assert second == "2. T (t.md)  score 0.500"
    assert text == f"   {('a b ' * 100)[:299]}…"


def test_what_a_search_went_without_and_that_nothing_fits_is_told_beside_the_results(serve: Serve) -> None:
    serve(by_path(search=found(degraded=("dense_unavailable", "rerank_unavailable"))))
    done = run("search", "x", "-c", "c")
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == "Answered without: dense_unavailable, rerank_unavailable.\nNothing in 'c' fits.\n"


def answer(*citations: dict[str, Any], **report: Any) -> httpx2.Response:
    about = {"grounded": True, "abstained": False, "answer_kind": "generated", "collections": ["c"], **report}
    delta = {"content": "So.", "annotations": citations}
    chunk = {"id": "a", "created": 1, "model": "m", "groundwork": about, "choices": [{"index": 0, "delta": delta}]}
    return sse(chunk, "[DONE]")


def citation(**fields: Any) -> dict[str, Any]:
    link = {"start_index": 0, "end_index": 3, "url": "/v1/collections/c/documents/d/content", "title": "T"}
    return hit(**{"marker": "[1]", "quote": "q", "index": 0, "url_citation": link, **fields})


def test_a_table_that_is_quoted_has_its_rows_below_one_another(serve: Serve) -> None:
    serve(by_path(completions=answer(citation(quote="Day | Open\nMonday  | closed\n\nSaturday | 10:00"))))
    lines = output("ask", "when?", "-c", "c").splitlines()
    assert lines[3:] == ["    “Day | Open", "     Monday | closed", "     Saturday | 10:00”"]


def test_a_source_that_is_cited_twice_at_the_same_place_is_listed_once(serve: Serve) -> None:
    serve(by_path(completions=answer(citation(), citation(index=2), citation(start=9, page=3))))
    lines = output("ask", "why?", "-c", "c").splitlines()
    assert lines == ["So.", "", "[1] T (t.md)", "    “q”", "[1] T (t.md, page 3)", "    “q”"]


def test_who_decides_that_there_is_no_answer_is_passed_on(serve: Serve) -> None:
    server = Recorder(answer())
    serve(server)
    output("ask", "why?", "-c", "c", "--abstain", "never")
    assert server.body()["groundwork"]["abstain"] == "never"


@pytest.mark.parametrize(
    ("report", "warned"),
    [
        ({}, False),
        ({"grounded": False}, True),
        ({"grounded": False, "abstained": True}, False),
        ({"grounded": False, "answer_kind": "extractive"}, False),
    ],
    ids=["supported", "unsupported", "no answer", "goodbye"],
)
def test_an_answer_with_unsupported_sentences_is_told_of(serve: Serve, report: dict[str, Any], warned: bool) -> None:
    serve(by_path(completions=answer(**report)))
    done = run("ask", "why?", "-c", "c")
    assert done.exit_code == 0
    assert ("Not every sentence is supported" in done.stderr) is warned


def test_a_question_may_be_put_to_several_collections(serve: Serve) -> None:
    server = Recorder(answer())
    serve(server)
    output("ask", "why?", "-c", "a", "-c", "b", "--model", "small")
    assert server.body()["model"] == "rag:a,b"
    assert server.body()["groundwork"] == {"model": "small"}


def test_a_summary_is_printed_with_what_each_sentence_quotes(serve: Serve) -> None:
    made = {"collection": "c", "document_id": "d", "revision": 2, "title": ODD, "content": f"- {ODD} [1]", "chunks": 3}
    reply = {**made, "annotations": [citation(page=2)], "usage": {}, "degraded": ["embeddings_unavailable"]}
    serve(by_path(summary=httpx2.Response(200, json=reply)))
    done = run("summary", "d", "-c", "c", "-n", "1")
    assert done.stdout == f"{ODD}\n- {ODD} [1]\n\n[1] t.md, page 2\n    “q”\n"
    assert done.stderr == "Made without: embeddings_unavailable.\n"


def test_a_document_is_summed_up_by_a_name_that_no_other_has(serve: Serve) -> None:
    made = {"collection": "c", "document_id": "doc-1", "revision": 2, "title": "T", "content": "x", "chunks": 3}
    there = [document(source="team/leave.md"), document(id="doc-2", source="hr/sick.md", title="Both")]

    def answered(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/documents"):
            return page(*there)
        known = "/doc-1/" in request.url.path
        reply = httpx2.Response(200, json={**made, "annotations": [], "usage": {}, "degraded": []})
        return reply if known else error(404, "document_not_found", "There is no such document.")

    serve(answered)
    for name in ("doc-1", "leave.md", "team/leave.md", "A title"):
        assert output("summary", name, "-c", "c").startswith("T\nx\n")
    assert "There is no such document" in run("summary", "other.md", "-c", "c").stderr
    there[0]["title"] = "Both"
    assert "'Both' is several documents. Name one by its id: doc-1, doc-2." in run("summary", "Both", "-c", "c").stderr


def test_a_classified_text_is_shown_with_its_label_and_the_label_s_score(serve: Serve) -> None:
    results = [{"label": "late", "scores": {"late": 0.875, "odd": 0.125}}]
    server = Recorder(httpx2.Response(200, json={"model": "m", "results": results}))
    serve(server)
    done = output("classify", ODD, "-l", "late=a parcel that is late", "-l", "odd", "--model", "m")
    assert done == f"late  0.88\n   {ODD}\n"
    labels = [{"label": "late", "text": "a parcel that is late"}, {"label": "odd", "text": "odd"}]
    assert server.body(0) == {"model": "m", "input": [ODD], "labels": labels}
