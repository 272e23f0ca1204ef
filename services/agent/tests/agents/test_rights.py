from __future__ import annotations

from typing import Any

import pytest

from agent.agents.rights import check_rights
from agent.errors import AgentNotAllowed, ToolScopeMissing
from contracts.access.delegation import Delegation
from contracts.agents.agents import AgentDefinition


def _check(definition: dict[str, Any], **rights: Any) -> None:
    about = {"audiences": ("agent",), "tenant": "acme", "key_id": "k", "request_id": "r", "scopes": ("agents",)}
    check_rights(AgentDefinition.model_validate(definition), "helper", Delegation(**{**about, **rights}))


def test_a_tool_needs_one_of_its_scopes() -> None:
    reader = {"tools": [{"type": "read_document"}]}
    with pytest.raises(ToolScopeMissing, match="'documents' or 'search'"):
        _check(reader)
    for scope in ("documents", "search"):
        _check(reader, scopes=("agents", scope))
    _check({"tools": ["calculator", {"type": "http_get", "hosts": ["a.example"]}, {"type": "mcp", "server": "till"}]})


def test_an_agent_reaches_no_further_than_the_keys_collections_and_models() -> None:
    search = {"tools": [{"type": "search_documents", "collections": ["handbook"]}]}
    _check(search, scopes=("search",), collections=("handbook",))
    with pytest.raises(AgentNotAllowed, match="collections"):
        _check(search, scopes=("search",), collections=("prices",))
    with pytest.raises(AgentNotAllowed, match="a model"):
        _check({"model": "large"}, models=("small",))
    _check({}, models=("small",))
