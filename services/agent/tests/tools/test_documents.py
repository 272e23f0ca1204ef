from __future__ import annotations

from dataclasses import replace

import pytest

from agent.schemas.validation import problems
from agent.testing.memory_library import MemoryLibrary
from agent.testing.scripted_answers import ScriptedSearch, hit
from agent.tools.documents import ReadDocument, SearchDocuments
from agent.tools.tool import Tool, ToolCaller, ToolFailed
from contracts.access.delegation import Scope
from contracts.documents.documents import DocumentChunk


async def _token() -> str:
    return "token"


CALLER = ToolCaller("run:1:0", "run", "thread", _token)


async def _no_documents() -> tuple[Scope, ...]:
    return ("chat", "agents")


@pytest.mark.parametrize(
    ("tool", "words"),
    [
        (SearchDocuments(ScriptedSearch([hit("Text.")]), MemoryLibrary(), ["handbook"], 5), "'search'"),
        (ReadDocument(MemoryLibrary(), None), "'documents' or 'search'"),
    ],
)
async def test_a_tool_that_the_scopes_of_the_run_s_key_no_longer_allow_says_which_is_missing(
    tool: Tool, words: str
) -> None:
    caller = replace(CALLER, scopes=_no_documents)
    with pytest.raises(ToolFailed, match=f"needs a key with the scope {words}"):
        await tool.call({"query": "x", "collection": "handbook", "document_id": "d"}, caller)


def chunk(text: str, start: int, page: int | None = None) -> DocumentChunk:
    return DocumentChunk(
        chunk_id=f"c{start}", ordinal=start, revision=1, text=text, start=start, end=start + len(text), page=page
    )


async def test_a_document_is_read_by_span_and_by_page_though_its_chunks_overlap() -> None:
    text = "".join(f"{number:04d} " for number in range(100))
    chunks = [chunk(text[at : at + 120], at, 1 + at // 200) for at in range(0, 500, 100)]
    reads = ReadDocument(MemoryLibrary({("handbook", "doc"): chunks}), ["handbook"])
    found = await reads.call({"collection": "handbook", "document_id": "doc", "start": 37, "end": 260}, CALLER)
    assert found.split("]\n", 1)[1].split("\n[goes on")[0] == text[37:260]
    page = await reads.call({"collection": "handbook", "document_id": "doc", "page": 2}, CALLER)
    assert text[200:400] in page
    for wrong in ({"collection": "secret"}, {"document_id": "other"}, {"page": 9}, {"start": 9000}):
        with pytest.raises(ToolFailed):
            await reads.call({"collection": "handbook", "document_id": "doc", **wrong}, CALLER)


async def test_what_is_read_is_named_passage_by_passage_and_what_is_not_given_is_not() -> None:
    chunks = [chunk("x" * 10_000, at, 1 + at // 20_000) for at in range(0, 40_000, 10_000)]
    reads = ReadDocument(MemoryLibrary({("handbook", "doc"): chunks}), None)
    for asked, named in (
        ({"start": 5, "end": 50}, ["c0"]),
        ({"start": 9_000}, ["c0", "c10000", "c20000"]),
        ({"page": 2}, ["c20000", "c30000"]),
    ):
        caller = replace(CALLER, sources=[])
        await reads.call({"collection": "handbook", "document_id": "doc", **asked}, caller)
        assert [one.chunk_id for one in caller.sources] == named, asked
        assert {(one.collection, one.document_id, one.revision) for one in caller.sources} == {("handbook", "doc", 1)}
    caller = replace(CALLER, sources=[])
    with pytest.raises(ToolFailed):
        await reads.call({"collection": "handbook", "document_id": "doc", "page": 9}, caller)
    assert caller.sources == []


async def test_a_search_stays_in_the_agents_collections_and_says_where_each_passage_is() -> None:
    search = ScriptedSearch([hit("27 days of leave.", "leave", start=5)])
    tool = SearchDocuments(search, MemoryLibrary({("handbook", "x"): [], ("prices", "y"): []}), ["handbook"], 3)
    found = await tool.call({"query": "leave"}, CALLER)
    assert search.requests[0].collections == ["handbook"]
    assert "document_id=leave start=5 end=22" in found
    everywhere = SearchDocuments(search, MemoryLibrary({("handbook", "x"): [], ("prices", "y"): []}), None, 3)
    await everywhere.call({"query": "leave"}, CALLER)
    assert search.requests[1].collections == ["handbook", "prices"]


@pytest.mark.parametrize(
    ("document_id", "fits"),
    [("a", True), (".a", True), ("..a", True), ("...", True), ("A.b-1_", True), ("x" * 200, True)]
    + [(wrong, False) for wrong in ("", ".", "..", "a/b", "a b", "x" * 201, "a\n")],
)
def test_a_document_is_read_by_every_id_that_it_may_have_and_no_other(document_id: str, fits: bool) -> None:
    wanted = {"collection": "handbook", "document_id": document_id}
    assert (problems(ReadDocument(MemoryLibrary(), None).parameters, wanted) == []) == fits
