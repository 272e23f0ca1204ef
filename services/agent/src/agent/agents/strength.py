"""Which agents a model is strong enough to run.

The packaged model can't choose tools: what it calls and says is chance. An agent that just searches and reads documents
needs no choice: each question is searched for, and answered as a `rag:` model does.
"""

from __future__ import annotations

from agent.agents.errors import ModelTooWeak
from contracts.agents.agents import AgentDefinition
from contracts.models.catalog import ModelInfo


def is_planned(definition: AgentDefinition, model: ModelInfo) -> bool:
    """Whether the agent's one plan is to search and answer from what is found, without a choice of the model."""
    return model.packaged and not definition.allow_weak_model and definition.only_reads_documents


def check_strength(definition: AgentDefinition, model: ModelInfo) -> None:
    """Raise `ModelTooWeak` for an agent that the model can't run."""
    has_tools = bool(definition.tools) and definition.tool_choice != "none"
    if model.packaged and has_tools and not (definition.allow_weak_model or definition.only_reads_documents):
        raise ModelTooWeak(model.id)
