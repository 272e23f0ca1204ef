"""The tools of the MCP server: a row of the table has what clients see of one and the function that makes its calls."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from agent.answering.completions import chunks, collect
from agent.answering.graph import Answering
from agent.ports import Library
from agent.questions.conversation import read_conversation
from agent.sanitisation.sanitiser import label, sanitise, sanitise_shaped
from contracts.access.delegation import Scope
from contracts.agents.mcp import META
from contracts.models.catalog import RAG
from contracts.models.chat import AnswerOptions, ChatRequest
from contracts.retrieval.search import SearchRequest
from servicekit.auth.delegation import Caller
from servicekit.core.errors import InvalidRequest

MAX_COLLECTIONS = 16
"""Of one search or question."""
REPORTED = ("receipt", "sources")
"""Of the report of an answer what only its record has."""
_NAME = {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]{0,62}$"}
_NAMES = {
    "type": "array",
    "items": _NAME,
    "minItems": 1,
    "maxItems": MAX_COLLECTIONS,
    "description": "Names of collections; without it all that can be searched.",
}
_SPAN: dict[str, Any] = {
    "collection": {"type": "string"},
    "document_id": {"type": "string"},
    "revision": {"type": "integer"},
    "title": {"type": "string"},
    "page": {"type": ["integer", "null"]},
    "start": {"type": "integer"},
    "end": {"type": "integer"},
    "score": {"type": "number"},
}
"""Where a text stands: the characters from `start` to `end` of a document's text of that revision."""


def _span_schema(**own: str) -> dict[str, Any]:
    properties = {**_SPAN, **{name: {"type": kind} for name, kind in own.items()}}
    return {"type": "object", "properties": properties, "required": ["collection", "document_id", *own]}


_HIT = _span_schema(text="string")
_CITATION = _span_schema(marker="string", quote="string", supported="boolean")


@dataclass(frozen=True, slots=True)
class McpCall:
    """One call of a tool, and what it works with."""

    answering: Answering
    library: Library
    arguments: dict[str, Any]
    caller: Caller
    request_id: str
    reports: bool = False
    """Whether an answer is to tell its receipt and sources, too."""


@dataclass(frozen=True, slots=True)
class McpTool:
    """A tool as clients see it, and the scopes of which a key needs one."""

    name: str
    description: str
    properties: dict[str, Any]
    required: tuple[str, ...]
    scopes: frozenset[Scope]
    gives: dict[str, Any]
    """JSON schemas of what the structured content always has, by name."""
    run: Callable[[McpCall], Awaitable[dict[str, Any]]]
    """Makes the call."""

    @property
    def schema(self) -> dict[str, Any]:
        """JSON schema of the arguments."""
        about = {"type": "object", "properties": self.properties, "additionalProperties": False}
        return {**about, "required": list(self.required)}

    def describe(self) -> dict[str, Any]:
        """As `tools/list` has it."""
        hints = {"readOnlyHint": True, "openWorldHint": False}
        gives = {"type": "object", "properties": self.gives, "required": list(self.gives)}
        about = {"name": self.name, "description": self.description, "annotations": hints}
        return {**about, "inputSchema": self.schema, "outputSchema": gives}


class CollectionsNotNamed(InvalidRequest):
    """All collections were meant, and they are none or too many."""

    code = "collections_not_named"

    def __init__(self, found: int, most: int) -> None:
        super().__init__(
            f"There are {found} collections; name at most {most} of them in 'collections'."
            if found
            else "There are no collections that this key may use."
        )


async def _search(call: McpCall) -> dict[str, Any]:
    collections = await _chosen(call)
    request = SearchRequest(
        query=call.arguments["query"], collections=collections, limit=call.arguments.get("limit", 5)
    )
    reply = await call.answering.search.search(request, call.caller.token)
    names = ("collection", "document_id", "revision", "title", "page", "start", "end", "score", "text")
    hits = [{name: getattr(hit, name) for name in names} for hit in reply.hits]
    return content_result(
        "\n\n".join(f"[{_shown(hit['title'])}] {sanitise_shaped(hit['text'])}" for hit in hits) or "Nothing was found.",
        {"hits": hits},
    )


async def _ask(call: McpCall) -> dict[str, Any]:
    asked = ChatRequest.model_validate(
        {
            "model": RAG + ",".join(await _chosen(call)),
            "messages": [{"role": "user", "content": call.arguments["question"]}],
        }
    )
    if call.reports:
        asked.groundwork = AnswerOptions(include=["receipt", "sources"])
    conversation = read_conversation(asked, call.caller.delegation)
    stream = chunks(call.answering.events(conversation, asked, call.caller.token, call.request_id), asked.model)
    async with aclosing(stream):
        whole = await collect(stream)
    message = whole.choices[0].message
    cited = [one.model_dump(mode="json") for one in message.annotations or ()]
    sources = "".join(f"\n{one['marker']} {_shown(one['title'])}: “{sanitise(one['quote'])}”" for one in cited)
    found = whole.groundwork
    report = found.model_dump(mode="json", exclude_none=True, exclude=set(REPORTED)) if found else {}
    content = {"id": whole.id, "answer": message.content, "citations": cited, **report}
    result = content_result(f"{message.content}\n{sources}".strip(), content)
    if found and call.reports:
        result[META] = found.model_dump(mode="json", include=set(REPORTED))
    return result


def _shown(title: str) -> str:
    """A title within a text: an address in it is code, where beside one, as data, it stays as it is."""
    return sanitise(label(title))


async def _chosen(call: McpCall) -> list[str]:
    """The collections that are named, else all that the key may use; raises `CollectionsNotNamed`."""
    named: list[str] = call.arguments.get("collections") or []
    found = named or await _readable(call)
    if not 0 < len(found) <= MAX_COLLECTIONS:
        raise CollectionsNotNamed(len(found), MAX_COLLECTIONS)
    return found


async def _readable(call: McpCall) -> list[str]:
    found = await call.library.collections(call.caller.token)
    return [name for name in found if call.caller.delegation.allows_collection(name)]


async def _list_collections(call: McpCall) -> dict[str, Any]:
    names = await _readable(call)
    return content_result("\n".join(names) or "There are none.", {"collections": names})


def content_result(text: str, content: dict[str, Any] | None = None, *, failed: bool = False) -> dict[str, Any]:
    """A result of `tools/call`: words, and the same as structured content."""
    reply: dict[str, Any] = {"content": [{"type": "text", "text": text}], "isError": failed}
    return reply if content is None else {**reply, "structuredContent": json.loads(json.dumps(content, default=str))}


TOOLS = (
    McpTool(
        "search",
        "Finds passages in documents by meaning and words, each with its document and its span.",
        {
            "query": {"type": "string", "minLength": 1, "maxLength": 8000},
            "collections": _NAMES,
            "limit": {"type": "integer", "minimum": 1, "maximum": 50},
        },
        ("query",),
        frozenset(("search",)),
        {"hits": {"type": "array", "items": _HIT}},
        _search,
    ),
    McpTool(
        "ask",
        "Answers a question from documents, with citations that are checked, or says that they do not hold the answer.",
        {"question": {"type": "string", "minLength": 1, "maxLength": 8000}, "collections": _NAMES},
        ("question",),
        frozenset(("chat",)),
        {
            "id": {"type": "string"},
            "answer": {"type": "string"},
            "citations": {"type": "array", "items": _CITATION},
            "grounded": {"type": "boolean"},
            "abstained": {"type": "boolean"},
            "answer_kind": {"enum": ["generated", "extractive", "abstained"]},
            "collections": {"type": "array", "items": {"type": "string"}},
        },
        _ask,
    ),
    McpTool(
        "list_collections",
        "The collections of documents that can be searched.",
        {},
        (),
        frozenset(("search", "documents", "chat")),
        {"collections": {"type": "array", "items": {"type": "string"}}},
        _list_collections,
    ),
)
