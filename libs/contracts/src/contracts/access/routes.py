"""Routes: public model names over inference's models, and how each of those does."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from contracts.core.base import Count, Reply, Request
from contracts.core.values import Text

MAX_MODELS = 16
RouteName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,99}$")]
"""The name that callers write. Without a colon, so that it is never a `rag:` or `agent:` name."""
ModelName = Annotated[Text, StringConstraints(min_length=1, max_length=200)]
Fallbacks = Annotated[list[ModelName], Field(max_length=MAX_MODELS)]
Circuit = Literal["closed", "half_open", "open"]


class RouteTarget(Request):
    """One of inference's models, and its share of the keys."""

    model: ModelName
    weight: Annotated[int, Field(ge=0, le=1000)] = 1
    """A key always gets the same model; of many keys, this share. 0: only when those before it fail."""


class RouteSpec(Request):
    """Body of `PUT /v1/routes/{name}`.

    A call goes to the target that its key was drawn for. If that fails before the first piece of the answer, the other
    targets are tried in order, then `on_error`. A prompt too long for a model goes on to `on_context_overflow`, and one
    that it refuses to answer to `on_refusal`.
    """

    targets: Annotated[list[RouteTarget], Field(min_length=1, max_length=MAX_MODELS)]
    on_error: Fallbacks = Field(default_factory=list)
    on_context_overflow: Fallbacks = Field(default_factory=list)
    on_refusal: Fallbacks = Field(default_factory=list)

    @model_validator(mode="after")
    def _some_weight(self) -> RouteSpec:
        names = [target.model for target in self.targets]
        if len(set(names)) < len(names):
            raise ValueError("targets: each model can be named once")
        if not any(target.weight for target in self.targets):
            raise ValueError("targets: at least one must have a weight above 0")
        return self


class UpstreamState(Reply):
    """How one of inference's models does."""

    model: str
    known: bool
    """Whether inference has this model."""
    ready: bool | None = None
    """What inference's readiness says of it; null where it says nothing."""
    circuit: Circuit = "closed"
    requests: Count = 0
    """Within the breaker's window, on all replicas."""
    failures: Count = 0
    latency_ms: float | None = None
    """Moving average of the time to the first piece, on this replica; null before the first answer."""


class Route(Reply):
    """One public name. `configured` is false for a model that stands for itself."""

    name: str
    configured: bool
    targets: list[RouteTarget]
    on_error: list[str] = Field(default_factory=list)
    on_context_overflow: list[str] = Field(default_factory=list)
    on_refusal: list[str] = Field(default_factory=list)
    upstreams: list[UpstreamState] = Field(default_factory=list)
    updated_at: datetime | None = None
