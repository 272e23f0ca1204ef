"""Models that are fetched from elsewhere, on the wire."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from contracts.core.base import Count, Reply, Request, Timestamp
from contracts.core.values import Passed, unlike
from contracts.documents.documents import Failure

PullStatus = Literal["queued", "running", "ready", "failed", "cancelled"]
FINAL_PULL_STATUSES: frozenset[PullStatus] = frozenset(("ready", "failed", "cancelled"))
_DeclaredName = Annotated[str, unlike("model", "kind", "engine", "source", "default")]


class ModelPull(Request):
    """Body of `POST /v1/models/pull`; what else it has is declared of the model, as by `PUT /v1/models/{id}`."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[_DeclaredName, Passed]
    model: str
    """What callers will write as `model`."""
    source: dict[str, Passed]
    """`{huggingface: "org/name", revision?, file?, sha256?}`: one GGUF file with all its parts, or without `file` a
    whole folder of weights; or `{ollama: "qwen2.5:0.5b", base_url?}` of an Ollama server."""
    kind: str | None = None
    """chat, embedding or rerank. Left out, chat; of a folder of weights embedding."""
    engine: str | None = None
    """Left out, the one that reads what the source gives."""
    default: bool | None = None
    """Whether `default` means this model for its kind, once it is loaded."""


class Pull(Reply):
    """A job that fetches a model and then declares it."""

    id: str
    object: Literal["model.pull"] = "model.pull"
    model: str
    status: PullStatus
    source: dict[str, Any] = Field(default_factory=dict)
    """What is fetched: of Hugging Face, the commit that the revision meant when it was asked for."""
    bytes_done: Count = 0
    bytes_total: Count | None = None
    """Null until an Ollama server has said it."""
    waiting_on: str | None = None
    """What a queued job waits for: a server that is away, or `retry`. Null where other pulls are before it."""
    error: Failure | None = None
    created_at: Timestamp
    started_at: Timestamp | None = None
    finished_at: Timestamp | None = None


class PullList(Reply):
    """The newest pulls first."""

    object: Literal["list"] = "list"
    data: list[Pull]
