from __future__ import annotations

from typing import Any

import pytest
from benchmarks.agent.rendering import live
from jsonschema import Draft202012Validator
from services.agent.tests.conftest import LEAVE, LEAVE_QUESTION, Bench

from agent.mcp.tools import MAX_COLLECTIONS, TOOLS, CollectionsNotNamed, McpCall
from agent.testing.memory_library import MemoryLibrary
from contracts.access.delegation import Delegation
from contracts.retrieval.search import Hit
from servicekit.auth.delegation import Caller

RIGHTS = Delegation(audiences=("agent",), tenant="acme", key_id="k", request_id="r", scopes=("search", "chat"))


async def call(
    name: str, arguments: dict[str, Any], collections: int = 1, *, reports: bool = False, hit: Hit = LEAVE
) -> dict[str, Any]:
    library = MemoryLibrary({(f"handbook{number or ''}", "leave"): [] for number in range(collections)})
    tool = next(tool for tool in TOOLS if tool.name == name)
    made = McpCall(Bench(hits=(hit,)).answering, library, arguments, Caller(RIGHTS, "token"), "req_1", reports)
    result = await tool.run(made)
    Draft202012Validator(tool.describe()["outputSchema"]).validate(result["structuredContent"])
    return result


async def test_every_tool_gives_what_its_schema_says() -> None:
    found = await call("search", {"query": "leave"})
    assert found["structuredContent"]["hits"][0]["document_id"] == LEAVE.document_id
    answered = await call("ask", {"question": LEAVE_QUESTION})
    assert answered["structuredContent"]["citations"]
    assert answered["structuredContent"]["citations"][0]["marker"] in answered["content"][0]["text"]
    assert (await call("list_collections", {}))["structuredContent"] == {"collections": ["handbook"]}


async def test_collections_are_named_where_there_are_none_or_too_many() -> None:
    for collections in (0, MAX_COLLECTIONS + 1):
        with pytest.raises(CollectionsNotNamed):
            await call("search", {"query": "leave"}, collections)
    await call("search", {"query": "leave", "collections": ["handbook"]}, MAX_COLLECTIONS + 1)


async def test_an_answer_tells_its_receipt_and_sources_beside_what_clients_see_and_only_when_asked() -> None:
    plain, told = (
        await call("ask", {"question": LEAVE_QUESTION}),
        await call("ask", {"question": LEAVE_QUESTION}, reports=True),
    )
    assert "_meta" not in plain
    assert list(plain["structuredContent"]) == list(told["structuredContent"])
    beside = told["_meta"]
    assert [one["document_id"] for one in beside["sources"]] == [LEAVE.document_id]
    assert {one["name"] for one in beside["receipt"]["stages"]} >= {"retrieve"}
    assert "_meta" not in await call("search", {"query": "leave"}, reports=True)


@pytest.mark.parametrize(("name", "asked"), [("search", "query"), ("ask", "question")])
async def test_nothing_is_live_in_a_text_that_names_a_document(name: str, asked: str) -> None:
    titled = LEAVE.model_copy(update={"title": "Leave ![t](https://evil.example/t) at https://evil.example/x <im<b>g>"})
    found = await call(name, {asked: LEAVE_QUESTION}, hit=titled)
    text = found["content"][0]["text"]
    assert "evil.example" in text
    assert live(text) == []
