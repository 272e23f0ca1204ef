"""The agent service's settings."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from servicekit.settings import ServiceSettings


class AgentSettings(ServiceSettings):
    """Read once at start from the environment (`AGENT_…`)."""

    model_config = SettingsConfigDict(env_prefix="AGENT_", extra="ignore", use_attribute_docstrings=True)

    port: int = 8104
    """Port to listen on."""
    retriever_url: str = "http://127.0.0.1:8102"
    """Where the retriever listens."""
    gateway_url: str = "http://127.0.0.1:8090"
    """Where the gateway's model plane listens."""
    abstain_threshold: Annotated[float, Field(ge=0, le=1)] = 0.24
    """Abstain when the chance that the sources answer the question is judged lower than this. Higher abstains more."""
    deadline_seconds: Annotated[float, Field(gt=0)] = 60.0
    """The longest that one answer may take in all."""
    search_seconds: Annotated[float, Field(gt=0)] = 15.0
    """The longest wait for the retriever."""
    first_token_seconds: Annotated[float, Field(gt=0)] = 20.0
    """The longest wait for the model's first token; after that the answer is extractive."""
    draft_seconds: Annotated[float, Field(gt=0)] = 30.0
    """The longest that `strict` waits for a supported sentence; after that the answer is extractive."""
    context_tokens: Annotated[int, Field(ge=64)] = 6000
    """Room for sources in the prompt, in tokens (estimated from characters)."""
    answer_tokens: Annotated[int, Field(ge=16)] = 700
    """The most tokens that a model may answer with, unless the caller asks for fewer."""
    packaged_context_tokens: Annotated[int, Field(ge=64)] = 550
    """Room for sources in the prompt of the packaged model, which reads slowly on a CPU."""
    packaged_answer_tokens: Annotated[int, Field(ge=16)] = 96
    """The most tokens that the packaged model may answer with."""
    embedding_model: str = "default"
    """The embedding model that compares sentences."""
    neighbours: Annotated[int, Field(ge=0, le=3)] = 0
    """How many chunks before and after each found one are read with it."""
    compared_passages: Annotated[int, Field(ge=4, le=200)] = 48
    """How many sentences and table rows of the sources are embedded for one question."""
    keepalive_seconds: Annotated[float, Field(gt=0)] = 10.0
    """A stream that is silent for so long gets a comment line, so that nothing in between closes it."""
