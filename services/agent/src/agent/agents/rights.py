"""What a key must be allowed for an agent that it saves or runs: each tool's scopes, its collections, its model.

The retriever and the model plane hold every call to the key's rights as well. This says so before anything is done,
in words that name what is missing.
"""

from __future__ import annotations

from agent.errors import AgentNotAllowed, ToolScopeMissing
from agent.tools.built_in import built_in_tools
from contracts.access.delegation import Delegation
from contracts.agents.agents import AgentDefinition


def check_rights(definition: AgentDefinition, name: str, key: Delegation) -> None:
    """Raise `ToolScopeMissing` or `AgentNotAllowed` for what the key may not use."""
    for tool in definition.tools:
        row = built_in_tools().get(tool.type)
        needed = row.scopes if row is not None else ()
        if needed and not set(needed) & set(key.scopes):
            raise ToolScopeMissing(name, tool.type, needed)
        named = getattr(tool, "collections", None)
        if not all(key.allows_collection(collection) for collection in named or ()):
            raise AgentNotAllowed(name, "collections")
    if definition.model != "default" and not key.allows_model(definition.model):
        raise AgentNotAllowed(name, "a model")
