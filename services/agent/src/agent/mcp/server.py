"""The MCP server: any MCP client can search and ask with a key's rights. Stateless: each message stands for itself."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from agent.answering.completions import chunks, collect
from agent.answering.graph import Answering
from agent.ports import Library
from agent.questions.conversation import read_conversation
from agent.sanitisation.sanitiser import label, sanitise, sanitise_shaped
from agent.tools.schemas import problems
from contracts.chat import ChatRequest
from contracts.delegation import Scope
from contracts.mcp import McpMessage, McpReply
from contracts.models import RAG
from contracts.search import SearchRequest
from servicekit.auth.delegation import Caller
from servicekit.core.errors import InvalidRequest, ServiceError
from servicekit.core.version import package_version

VERSIONS = ("2025-11-25", "2025-06-18")
"""Of the protocol, newest first. The one before has batches, which no version since has."""
METHOD_NOT_FOUND, INVALID_PARAMS = -32601, -32602
CANCELLED = "notifications/cancelled"
MAX_COLLECTIONS = 16
"""Of one search or question."""
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


def _spanned(**own: str) -> dict[str, Any]:
    properties = {**_SPAN, **{name: {"type": kind} for name, kind in own.items()}}
    return {"type": "object", "properties": properties, "required": ["collection", "document_id", *own]}


_HIT = _spanned(text="string")
_CITATION = _spanned(marker="string", quote="string", supported="boolean")


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

    @property
    def schema(self) -> dict[str, Any]:
        """JSON schema of the arguments."""
        about = {"type": "object", "properties": self.properties, "additionalProperties": False}
        return {**about, "required": list(self.required)}

    def shown(self) -> dict[str, Any]:
        """As `tools/list` has it."""
        hints = {"readOnlyHint": True, "openWorldHint": False}
        gives = {"type": "object", "properties": self.gives, "required": list(self.gives)}
        shown = {"name": self.name, "description": self.description, "annotations": hints}
        return {**shown, "inputSchema": self.schema, "outputSchema": gives}


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
    ),
    McpTool(
        "ask",
        "Answers a question from documents, with citations that are checked, or says that they do not hold the answer.",
        {"question": {"type": "string", "minLength": 1, "maxLength": 8000}, "collections": _NAMES},
        ("question",),
        frozenset(("chat",)),
        {
            "answer": {"type": "string"},
            "citations": {"type": "array", "items": _CITATION},
            "grounded": {"type": "boolean"},
            "abstained": {"type": "boolean"},
            "answer_kind": {"enum": ["generated", "extractive", "abstained"]},
            "collections": {"type": "array", "items": {"type": "string"}},
        },
    ),
    McpTool(
        "list_collections",
        "The collections of documents that can be searched.",
        {},
        (),
        frozenset(("search", "documents", "chat")),
        {"collections": {"type": "array", "items": {"type": "string"}}},
    ),
)


class CollectionsNotNamed(InvalidRequest):
    """All collections were meant, and they are none or too many."""

    code = "collections_not_named"

    def __init__(self, found: int, most: int) -> None:
        super().__init__(
            f"There are {found} collections; name at most {most} of them in 'collections'."
            if found
            else "There are no collections that this key may use."
        )


@dataclass(frozen=True, slots=True)
class McpServer:
    """Answers messages."""

    answering: Answering
    library: Library

    async def answer(self, message: McpMessage, caller: Caller, request_id: str) -> McpReply | None:
        """The reply to a request; None for a notification."""
        if message.id is None:
            return None
        params = message.params or {}
        if message.method == "initialize":
            return McpReply(id=message.id, result=_initialized(params))
        if message.method == "ping":
            return McpReply(id=message.id, result={})
        if message.method == "tools/list":
            return McpReply(id=message.id, result={"tools": [tool.shown() for tool in _usable(caller)]})
        if message.method == "tools/call":
            return await self._call(message, params, caller, request_id)
        return _refused(message, METHOD_NOT_FOUND, f"There is no method '{message.method}' here.")

    async def _call(self, message: McpMessage, params: dict[str, Any], caller: Caller, request_id: str) -> McpReply:
        tool = next((tool for tool in _usable(caller) if tool.name == params.get("name")), None)
        if tool is None:
            return _refused(message, INVALID_PARAMS, "There is no such tool, or the key lacks the scope for it.")
        arguments = params.get("arguments") or {}
        wrong = problems(tool.schema, arguments)  # the SDK's low-level server no longer does this, ours does
        if wrong:
            return McpReply(id=message.id, result=_result(f"The arguments do not fit: {'; '.join(wrong)}", failed=True))
        work: dict[str, Callable[[], Awaitable[dict[str, Any]]]] = {
            "search": lambda: self._search(arguments, caller),
            "ask": lambda: self._ask(arguments, caller, request_id),
            "list_collections": lambda: self._collections(caller),
        }
        try:
            return McpReply(id=message.id, result=await work[tool.name]())
        except ValidationError as error:  # what JSON schema can't say: half a character, a line's end after a name
            wrong = [f"{'/'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_url=False)]
            return McpReply(id=message.id, result=_result(f"The arguments do not fit: {'; '.join(wrong)}", failed=True))
        except ServiceError as error:
            return McpReply(id=message.id, result=_result(sanitise(error.message), failed=True))

    async def _search(self, arguments: dict[str, Any], caller: Caller) -> dict[str, Any]:
        collections = await self._chosen(arguments, caller)
        request = SearchRequest(query=arguments["query"], collections=collections, limit=arguments.get("limit", 5))
        reply = await self.answering.search.search(request, caller.token)
        names = ("collection", "document_id", "revision", "title", "page", "start", "end", "score", "text")
        hits = [{name: getattr(hit, name) for name in names} for hit in reply.hits]
        return _result(
            "\n\n".join(f"[{label(hit['title'])}] {sanitise_shaped(hit['text'])}" for hit in hits)
            or "Nothing was found.",
            {"hits": hits},
        )

    async def _ask(self, arguments: dict[str, Any], caller: Caller, request_id: str) -> dict[str, Any]:
        asked = ChatRequest.model_validate(
            {
                "model": RAG + ",".join(await self._chosen(arguments, caller)),
                "messages": [{"role": "user", "content": arguments["question"]}],
            }
        )
        conversation = read_conversation(asked, caller.delegation)
        stream = chunks(self.answering.events(conversation, asked, caller.token, request_id), asked.model)
        async with aclosing(stream):
            whole = await collect(stream)
        message = whole.choices[0].message
        cited = [one.model_dump(mode="json") for one in message.annotations or ()]
        sources = "".join(f"\n{one['marker']} {one['title']}: “{sanitise(one['quote'])}”" for one in cited)
        report = whole.groundwork.model_dump(mode="json", exclude_none=True) if whole.groundwork else {}
        content = {"answer": message.content, "citations": cited, **report}
        return _result(f"{message.content}\n{sources}".strip(), content)

    async def _chosen(self, arguments: dict[str, Any], caller: Caller) -> list[str]:
        """The collections that are named, else all that the key may use; raises `CollectionsNotNamed`."""
        named: list[str] = arguments.get("collections") or []
        found = named or await self._readable(caller)
        if not 0 < len(found) <= MAX_COLLECTIONS:
            raise CollectionsNotNamed(len(found), MAX_COLLECTIONS)
        return found

    async def _readable(self, caller: Caller) -> list[str]:
        found = await self.library.collections(caller.token)
        return [name for name in found if caller.delegation.allows_collection(name)]

    async def _collections(self, caller: Caller) -> dict[str, Any]:
        names = await self._readable(caller)
        return _result("\n".join(names) or "There are none.", {"collections": names})


def _usable(caller: Caller) -> list[McpTool]:
    """A key sees the tools that it may use."""
    return [tool for tool in TOOLS if tool.scopes & set(caller.delegation.scopes)]


def _initialized(params: dict[str, Any]) -> dict[str, Any]:
    asked = params.get("protocolVersion")
    return {
        "protocolVersion": asked if asked in VERSIONS else VERSIONS[0],
        "capabilities": {"tools": {"listChanged": False}},
        "serverInfo": {"name": "groundwork", "version": package_version("agent")},
        "instructions": "Search documents, and ask for answers with checked citations.",
    }


def _result(text: str, content: dict[str, Any] | None = None, *, failed: bool = False) -> dict[str, Any]:
    shown: dict[str, Any] = {"content": [{"type": "text", "text": text}], "isError": failed}
    return shown if content is None else {**shown, "structuredContent": json.loads(json.dumps(content, default=str))}


def _refused(message: McpMessage, code: int, why: str) -> McpReply:
    return McpReply(id=message.id, error={"code": code, "message": why})
