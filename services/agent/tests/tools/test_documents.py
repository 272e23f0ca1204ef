from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from pytest_socket import enable_socket
from services.agent.tests.runs_bench import bench

from agent.testing.memory_library import MemoryLibrary
from agent.testing.scripted_agents import Turn
from agent.testing.scripted_answers import ScriptedSearch, hit
from agent.tools.calculator import calculate
from agent.tools.documents import ReadDocument, SearchDocuments
from agent.tools.http import HttpCalls, HttpGet, HttpPost
from agent.tools.mcp_client import mcp_tools
from agent.tools.mcp_servers import McpFileBroken, McpServer, read_servers
from agent.tools.schemas import SchemaBroken, check_schema, problems
from agent.tools.tool import Tool, ToolCaller, ToolFailed
from contracts.delegation import Scope
from contracts.documents import DocumentChunk
from servicekit.peers.address_policy import AddressPolicy
from servicekit.sql.database import Database

SERVER = Path(__file__).parents[1] / "payment_server.py"


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


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("(3 + 4) * 2", "14"),
        ("0.1 + 0.2", "0.3"),
        ("2^10", "1024"),
        ("7 // 2 + 7 % 4", "6"),
        ("-sqrt(16)", "-4"),
        ("round(2.345, 2)", "2.34"),
        ("max(1, 2, 3) / 4", "0.75"),
        ("1e3", "1000"),
    ],
)
def test_arithmetic_is_exact(expression: str, value: str) -> None:
    assert calculate(expression) == value


@pytest.mark.parametrize(
    "hostile",
    [
        "__import__('os').system('true')",
        "(1).__class__",
        "9**9**9**9",
        "10**100000",
        "1/0",
        "sqrt(-1)",
        "'a' * 10",
        "[1 for x in (1,)]",
        "(" * 900,
        "lambda: 1",
        "round(1, 10**9)",
        "exp(10**30)",
        "min()",
        "True",
        "1" * 2000,
    ],
)
def test_nothing_but_arithmetic_is_computed_and_nothing_takes_long(hostile: str) -> None:
    with pytest.raises(ToolFailed):
        calculate(hostile)


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


async def test_a_search_stays_in_the_agents_collections_and_says_where_each_passage_is() -> None:
    search = ScriptedSearch([hit("27 days of leave.", "leave", start=5)])
    tool = SearchDocuments(search, MemoryLibrary({("handbook", "x"): [], ("prices", "y"): []}), ["handbook"], 3)
    found = await tool.call({"query": "leave"}, CALLER)
    assert search.requests[0].collections == ["handbook"]
    assert "document_id=leave start=5 end=22" in found
    everywhere = SearchDocuments(search, MemoryLibrary({("handbook", "x"): [], ("prices", "y"): []}), None, 3)
    await everywhere.call({"query": "leave"}, CALLER)
    assert search.requests[1].collections == ["handbook", "prices"]


async def _looked_up(host: str) -> list[str]:
    return {"rebound.example": ["10.0.0.7"], "meta.example": ["169.254.169.254"]}.get(host, ["127.0.0.1"])


@pytest.mark.parametrize(
    "url",
    [
        "http://evil.example/",
        "http://rebound.example/",
        "http://meta.example/latest/meta-data",
        "http://127.0.0.1/",
        "http://2130706433/",
        "http://[::ffff:127.0.0.1]/",
        "http://ok.example:8080/",
        "http://ok.example@evil.example/",
        "file:///etc/passwd",
        "http://ok.example\\@evil.example/",
    ],
)
async def test_a_url_is_called_only_on_the_agents_hosts_and_at_public_addresses(url: str) -> None:
    calls = HttpCalls(AddressPolicy.of("80,443"), 2, 10_000, _looked_up)
    tools = (
        HttpGet(calls, ["ok.example", "rebound.example", "meta.example"]),
        HttpPost(calls, ["ok.example", "rebound.example", "meta.example"], honours_key=True),
    )
    for tool, more in zip(tools, ({}, {"body": {}}), strict=True):
        with pytest.raises(ToolFailed, match=r"not called|not one of"):
            await tool.call({"url": url, **more}, CALLER)


def test_a_schema_refers_only_to_itself_and_says_what_is_wrong() -> None:
    schema = {"type": "object", "properties": {"a": {"$ref": "#/$defs/n"}}, "$defs": {"n": {"type": "integer"}}}
    check_schema(schema)
    assert problems(schema, {"a": 1}) == []
    assert "a:" in problems(schema, {"a": "x"})[0]
    for broken in ({"type": "wrong"}, {"$ref": "file:///etc/passwd"}, {"items": [{"$ref": "http://x/y"}]}):
        with pytest.raises(SchemaBroken):
            check_schema(broken)


def test_only_the_operators_file_names_servers(tmp_path: Path) -> None:
    file = tmp_path / "mcp.yaml"
    file.write_text("servers:\n  till: {command: [till], keyed: [pay]}\n")
    assert read_servers(file)["till"].command == ["till"]
    assert read_servers(None) == {}
    for broken in ("servers: {till: {}}", "servers: {till: {command: [a], url: 'http://b'}}", "servers: [", "other: 1"):
        file.write_text(broken)
        with pytest.raises(McpFileBroken):
            read_servers(file)


@pytest.fixture
async def till(tmp_path: Path) -> AsyncIterator[dict[str, Tool]]:
    """The tools of a real MCP server that is started as a program."""
    enable_socket()  # the event loop's own pair, for the program's pipes
    server = McpServer(
        command=[sys.executable, str(SERVER), str(tmp_path / "paid")],
        keyed=["pay"],
        safe=["balance"],
        key_argument="key",
    )
    async with mcp_tools("till", server, None) as tools:
        yield {tool.name: tool for tool in tools}


async def test_tools_of_an_mcp_server_over_stdio(till: dict[str, Tool]) -> None:
    pay, balance = till["till__pay"], till["till__balance"]
    assert (pay.repeat, balance.repeat, till["till__refund"].repeat) == ("key", "safe", "never")
    assert "key" not in pay.parameters["properties"]
    assert await pay.call({"amount": 3}, CALLER) == "paid 3 by run:1:0"
    assert await pay.call({"amount": 3}, CALLER) == "paid 3 by run:1:0"  # made again with its key: done once
    assert await balance.call({}, CALLER) == "3"
    with pytest.raises(ToolFailed, match="refund"):
        await till["till__refund"].call({}, CALLER)


async def test_a_run_uses_an_mcp_tool_and_its_arguments_are_validated_by_us(
    database: Database, till: dict[str, Tool]
) -> None:
    turns = [Turn("", [("till__pay", {"amount": "lots"})]), Turn("", [("till__pay", {"amount": 5})]), "Paid."]
    one = bench(database, *turns, tools=till)
    await one.define()
    run = await one.run()
    results = [said.content for said in await one.history(run.thread_id) if said.role == "tool"]
    assert "do not fit" in results[0]
    assert results[1] == f"paid 5 by {run.id}:2:0"
