"""Tools of a response as those of a chat: namespaces flattened, hosted types by name, and search in collections."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from contracts.models.catalog import AGENT, MAX_COLLECTIONS, RAG
from contracts.models.responses import ResponseRequest
from gateway.chat.responses.errors import Unsupported

FILE_SEARCH = "file_search"
_FIELDS = ("name", "description", "parameters", "strict")
_LONGEST = 64
"""Of a function's name in a chat, by OpenAI's rule."""


def flattened(tools: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str | None, str, Mapping[str, Any]]]:
    """Each tool with its namespace, if it is of one, and its place."""
    for number, tool in enumerate(tools):
        if tool.get("type") != "namespace":
            yield None, f"tools.{number}", tool
            continue
        inner, place = tool.get("tools"), f"tools.{number}"
        if not isinstance(tool.get("name"), str) or not isinstance(inner, list):
            raise Unsupported(place, "a namespace has a 'name' and a list of 'tools'")
        for position, one in enumerate(inner):
            if not isinstance(one, Mapping) or one.get("type") == "namespace":
                raise Unsupported(f"{place}.tools.{position}", "must be a tool")
            yield tool["name"], f"{place}.tools.{position}", one


def chat_name(namespace: str | None, name: str) -> str:
    """The name by which a chat knows a tool of a namespace; a long one ends in a hash of the whole."""
    if namespace is None:
        return name
    whole = f"{namespace}__{name}"
    if len(whole) <= _LONGEST:
        return whole
    return f"{whole[: _LONGEST - 9]}_{hashlib.sha256(whole.encode()).hexdigest()[:8]}"


def own_names(request: ResponseRequest) -> dict[str, tuple[str, str]]:
    """Namespace and name of each flattened tool by the name that the chat has for it."""
    tools = ((namespace, tool.get("name")) for namespace, _, tool in flattened(request.tools or ()))
    return {chat_name(space, name): (space, name) for space, name in tools if space and isinstance(name, str)}


def chat_tools(request: ResponseRequest) -> dict[str, Any]:
    """Functions, which of them, and how many at once. Types that are not served go along by name alone, so that the
    chat says that it went on without them."""
    tools = [_tool(space, tool, place) for space, place, tool in flattened(request.tools or ())]
    if searched(request):
        tools = [tool for tool in tools if tool["type"] != FILE_SEARCH]
    if not tools:
        return {}
    chosen = _choice(request.tool_choice)
    if isinstance(chosen, Mapping) and "mode" in chosen:
        tools = [tool for tool in tools if tool.get("function", {}).get("name") in chosen["names"]]
        chosen = chosen["mode"]
    fields: dict[str, Any] = {"tools": tools}
    if chosen is not None:
        fields["tool_choice"] = chosen
    if request.parallel_tool_calls is not None:
        fields["parallel_tool_calls"] = request.parallel_tool_calls
    return fields


def searched(request: ResponseRequest) -> dict[str, Any]:
    """`file_search` of a plain model as `model` and `groundwork` of a chat: an answer from the collections that it
    names, in that model's words. Empty where nothing is to be searched."""
    asked = [tool for tool in request.tools or () if tool.get("type") == FILE_SEARCH]
    if not asked or request.model.startswith((RAG, AGENT, "prompt:")) or request.tool_choice == "none":
        return {}
    names = list(dict.fromkeys(name for number, tool in enumerate(asked) for name in _collections(tool, number)))
    if len(names) > MAX_COLLECTIONS:
        raise Unsupported("tools", f"one answer can search at most {MAX_COLLECTIONS} collections")
    options = request.groundwork.model_dump(mode="json", exclude_unset=True) if request.groundwork else {}
    most = asked[0].get("max_num_results")
    if isinstance(most, int) and not isinstance(most, bool):
        options.setdefault("top_k", most)
    return {"model": RAG + ",".join(names), "groundwork": {**options, "model": request.model}}


def _collections(tool: Mapping[str, Any], number: int) -> list[str]:
    names = tool.get("vector_store_ids")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
        raise Unsupported(f"tools.{number}.vector_store_ids", "must be a list of the names of collections")
    if tool.get("filters") is not None:
        raise Unsupported(f"tools.{number}.filters", "are not read here; narrow the search by 'groundwork.filter'")
    return names


def _tool(namespace: str | None, tool: Mapping[str, Any], place: str) -> dict[str, Any]:
    kind = tool.get("type")
    if kind != "function":
        return {"type": str(kind)}
    if not isinstance(tool.get("name"), str):
        raise Unsupported(f"{place}.name", "must be a text")
    function = {name: tool[name] for name in _FIELDS if tool.get(name) is not None}
    return {"type": "function", "function": {**function, "name": chat_name(namespace, tool["name"])}}


def _choice(choice: str | dict[str, Any] | None) -> Any:
    """As a chat has it; `allowed_tools` as the names that are left and whether one of them is to be called."""
    if choice is None or isinstance(choice, str):
        return choice
    kind = choice.get("type")
    if kind == "function":
        return {"type": "function", "function": {"name": _chosen(choice)}}
    if kind == "allowed_tools":
        allowed = choice.get("tools")
        named = [tool for tool in allowed if isinstance(tool, dict)] if isinstance(allowed, list) else []
        return {"mode": choice.get("mode", "auto"), "names": [_chosen(tool) for tool in named]}
    return {"type": str(kind)}


def _chosen(tool: Mapping[str, Any]) -> Any:
    name, namespace = tool.get("name"), tool.get("namespace")
    return chat_name(namespace, name) if isinstance(name, str) and isinstance(namespace, str) else name
