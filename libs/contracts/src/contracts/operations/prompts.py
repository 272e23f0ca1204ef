"""Prompts, their versions and labels."""

from __future__ import annotations

from types import NoneType

from contracts.access.delegation import Scope
from contracts.agents.prompts import (
    LabelMove,
    Prompt,
    PromptCreate,
    PromptRender,
    PromptSummary,
    RenderedPrompt,
)
from contracts.core.pages import Page
from contracts.operations.operation import CURSOR, LIMIT, Operation
from contracts.operations.reach import AGENT, NO_MODEL, PROMPT_VALUES

READERS: tuple[Scope, ...] = ("chat", "agents", "agents:write", "prompts:release")
MAKERS: tuple[Scope, ...] = ("agents:write",)
MOVERS: tuple[Scope, ...] = ("agents:write", "prompts:release")
"""A protected label asks for the second."""
_OF_PROMPTS = ("prompts",)
_PROMPT = "/v1/prompts/{name}"
_VERSION = "/v1/prompts/{name}/versions/{version}"
_LABEL = "/v1/prompts/{name}/labels/{label}"

# fmt: off
CREATE_PROMPT = Operation(
    "POST", "/v1/prompts", Prompt, MAKERS, _OF_PROMPTS, AGENT, "Create a prompt, or a new version of one", 201, (200,),
    # whether the key may use its model is looked up
    request=PromptCreate, carries="json", owner="agent", route="agents", idempotent=True, also_for=("models",),
    ends_epoch=True, finishes=True,
)
LIST_PROMPTS = Operation(
    "GET", "/v1/prompts", Page[PromptSummary], READERS, _OF_PROMPTS, NO_MODEL, "List prompts", queries=(LIMIT, CURSOR),
    owner="agent",
)
GET_PROMPT = Operation(
    "GET", _PROMPT, Prompt, READERS, _OF_PROMPTS, NO_MODEL, "Show the version of a prompt that is in production",
    owner="agent",
)
DELETE_PROMPT = Operation(
    "DELETE", _PROMPT, NoneType, MAKERS, _OF_PROMPTS, NO_MODEL,
    "Delete a prompt and its labels; the numbers of its versions are not given again", 204, owner="agent",
    route="agents", ends_epoch=True, finishes=True,
)
LIST_PROMPT_VERSIONS = Operation(
    "GET", f"{_PROMPT}/versions", Page[Prompt], READERS, _OF_PROMPTS, NO_MODEL,
    "All versions of a prompt, newest first", queries=(LIMIT, CURSOR), owner="agent",
)
GET_PROMPT_VERSION = Operation(
    "GET", _VERSION, Prompt, READERS, _OF_PROMPTS, NO_MODEL, "Show a version of a prompt", owner="agent",
)
DELETE_PROMPT_VERSION = Operation(
    "DELETE", _VERSION, NoneType, MAKERS, _OF_PROMPTS, NO_MODEL, "Delete a version that no label points at", 204,
    # answers that were asked by it, or by its label, may be in the cache
    owner="agent", route="agents", ends_epoch=True, finishes=True,
)
MOVE_LABEL = Operation(
    "PUT", _LABEL, Prompt, MOVERS, _OF_PROMPTS, NO_MODEL, "Have a label point at a version", request=LabelMove,
    # what ships for answers from documents may be replaced by it
    carries="json", owner="agent", route="agents", ends_epoch=True, finishes=True,
)
DELETE_LABEL = Operation(
    "DELETE", _LABEL, NoneType, MOVERS, _OF_PROMPTS, NO_MODEL, "Delete a label", 204, owner="agent", route="agents",
    ends_epoch=True, finishes=True,
)
RENDER_PROMPT = Operation(
    "POST", f"{_PROMPT}/render", RenderedPrompt, READERS, _OF_PROMPTS, PROMPT_VALUES,
    "Show what a model is asked by a prompt with these variables", request=PromptRender, carries="json", owner="agent",
    # the nearest examples are found by embeddings
    route="agents", also_for=("models",),
)
# fmt: on
