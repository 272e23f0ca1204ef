"""What a key must be allowed for an agent that it saves or runs: each tool's scopes, its collections, its model.

The retriever and the model plane hold every call to the key's rights as well. This says so before anything is done,
in words that name what is missing.
"""

from __future__ import annotations

from agent.errors import AgentNotAllowed, ToolScopeMissing
from agent.tools.tool import TOOL_SCOPES
from contracts.agents import AgentDefinition, ReadDocumentTool, SearchDocumentsTool
from contracts.delegation import Delegation


def check_rights(definition: AgentDefinition, name: str, key: Delegation) -> None:
    """Raise `ToolScopeMissing` or `AgentNotAllowed` for what the key may not use."""
    for tool in definition.tools:
        needed = TOOL_SCOPES.get(tool.type, ())
        if needed and not set(needed) & set(key.scopes):
            raise ToolScopeMissing(name, tool.type, needed)
        named = tool.collections if isinstance(tool, SearchDocumentsTool | ReadDocumentTool) else None
        if not all(key.allows_collection(collection) for collection in named or ()):
            raise AgentNotAllowed(name, "collections")
    if definition.model != "default" and not key.allows_model(definition.model):
        raise AgentNotAllowed(name, "a model")
