"""Routes: public model names over models, documents and agents, and how the models behind them do."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from contracts.agents.prompts import PROMPT
from contracts.core.base import Count, Reply, Request
from contracts.core.values import Text
from contracts.models.catalog import AGENT, RAG, ModelKind
from contracts.models.chat import AnswerOptions
from contracts.models.experiments import Guard, GuardEnd

MAX_MODELS = 16
ANSWERING = (RAG, AGENT, PROMPT)
"""What the names of targets begin with that the agent service answers."""
_KINDS: tuple[tuple[str, ModelKind], ...] = ((RAG, "rag"), (AGENT, "agent"), (PROMPT, "prompt"))
RouteName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,99}$")]
"""The name that callers write. Without a colon, so that it is never a `rag:` or `agent:` name."""
ModelName = Annotated[Text, StringConstraints(min_length=1, max_length=200)]
Fallbacks = Annotated[list[ModelName], Field(max_length=MAX_MODELS)]
VariantName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
SplitBy = Literal["key", "user", "conversation", "call"]
Circuit = Literal["closed", "half_open", "open"]

VARIANT_HEADER = "X-Groundwork-Variant"
"""Names the variant of a route that an answer is of."""
CONVERSATION_HEADER = "X-Groundwork-Conversation"
"""A caller's own name for the conversation that a call is part of, by which a route split by conversation knows it."""


def is_plain(model: str) -> bool:
    """Whether a name is one of inference's, and not `rag:…`, `agent:…` or `prompt:…`."""
    return not model.startswith(ANSWERING)


class VariantSettings(AnswerOptions):
    """What a `rag:` target sets of its answers; null leaves it to who asks."""

    top_k: Annotated[int, Field(ge=1, le=50)] | None = None  # type: ignore[assignment]
    filter: None = None
    """Which documents are meant, and what is to be seen of them, is the caller's affair."""
    include: None = None  # type: ignore[assignment]
    variables: None = None
    """Nor are values for its prompt."""


class RouteTarget(Request):
    """What a share of a route's callers is answered by: a plain model, `prompt:…`, `rag:…` or `agent:…`."""

    model: ModelName
    weight: Annotated[int, Field(ge=0, le=1000)] = 1
    """The same caller always gets the same target; of many callers, this share. 0: only when those before it fail."""
    name: VariantName | None = None
    """What this variant is called in headers, receipts and figures; its model's name by default. A caller keeps its
    variant by name, also where another model takes the place of the variant's."""
    groundwork: VariantSettings | None = None
    """Of a `rag:` target: what is set here holds for its answers, whatever their callers ask for."""

    @property
    def variant(self) -> str:
        """What this variant is called."""
        return self.name or self.model

    @property
    def kind(self) -> ModelKind:
        """As lists of models have it."""
        return next((kind for begins, kind in _KINDS if self.model.startswith(begins)), "chat")

    @property
    def is_plain(self) -> bool:
        """Whether this is one of inference's models."""
        return is_plain(self.model)

    @property
    def takes_options(self) -> bool:
        """Whether the field `groundwork` of a chat means something to it."""
        return self.model.startswith((RAG, PROMPT))

    @model_validator(mode="after")
    def _settings_of_documents(self) -> RouteTarget:
        if self.groundwork is not None and not self.model.startswith(RAG):
            raise ValueError("groundwork: only a rag: target has settings of its own; leave it out")
        return self


class Shadow(Request):
    """A second target that a share of a route's calls goes to as well, once they are answered. Nobody is given its
    answers."""

    model: ModelName
    name: VariantName = "shadow"
    groundwork: VariantSettings | None = None
    """As of a `rag:` target."""
    share: Annotated[float, Field(gt=0, le=1)]
    """Of the calls of the key's tenant."""
    key_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
    """The experiment's own key: its rights and limits hold, and it is charged. Other tenants' calls have no shadow."""

    @property
    def target(self) -> RouteTarget:
        """As a target without a share."""
        return RouteTarget(model=self.model, name=self.name, weight=0, groundwork=self.groundwork)

    @model_validator(mode="after")
    def _is_a_target(self) -> Shadow:
        self.target  # noqa: B018  # for what it refuses
        return self


class RouteSpec(Request):
    """Body of `PUT /v1/routes/{name}`: each that differs from the one before is a version.

    A call goes to the target that its key, user or conversation was drawn for. If that is a plain model and fails
    before the first piece of the answer, the other plain targets are tried in order, then `on_error`. A prompt too long
    for a model goes on to `on_context_overflow`, and one that it refuses to answer to `on_refusal`.
    """

    targets: Annotated[list[RouteTarget], Field(min_length=1, max_length=MAX_MODELS)]
    split_by: SplitBy = "key"
    """Who keeps a variant: a key; a person, by OpenAI's `user` or `safety_identifier` (a call that names none counts
    for its key); a conversation, by `X-Groundwork-Conversation` or else by how it begins; or nobody, each `call` being
    drawn for itself."""
    guard: Guard | None = None
    shadow: Shadow | None = None
    on_error: Fallbacks = Field(default_factory=list)
    on_context_overflow: Fallbacks = Field(default_factory=list)
    on_refusal: Fallbacks = Field(default_factory=list)

    @property
    def is_plain(self) -> bool:
        """Whether all targets are inference's models, so that the route may be used inside other answers."""
        return all(target.is_plain for target in self.targets)

    @property
    def is_split(self) -> bool:
        """Whether more than one target has a share."""
        return sum(target.weight > 0 for target in self.targets) > 1

    @property
    def is_experiment(self) -> bool:
        """Whether there is something to compare: more than one target with a share, or a shadow."""
        return self.is_split or self.shadow is not None

    @model_validator(mode="after")
    def _some_weight(self) -> RouteSpec:
        names = [target.variant for target in self.targets]
        if self.shadow is not None and self.shadow.name in names:
            raise ValueError("shadow: needs a name that no target has")
        if len(set(names)) < len(names):
            raise ValueError("targets: each model can be named once; give targets of one model a `name` each")
        if not any(target.weight for target in self.targets):
            raise ValueError("targets: at least one must have a weight above 0")
        if self.guard is not None and not self.targets[0].weight:
            raise ValueError("guard: compares with the first target, which needs a weight above 0")
        return self


class RouteVersion(Reply):
    """A route as it was put at one time."""

    version: Count
    spec: RouteSpec
    active: bool
    created_at: datetime
    activated_at: datetime
    """When it was last made the one that answers."""
    ended_at: datetime | None = None
    """When another one took its place; null while it answers."""
    ended_by: GuardEnd | None = None
    """The figure that ended it, where its guard did."""


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
    version: Count | None = None
    """Null for a model that stands for itself."""
    targets: list[RouteTarget]
    split_by: SplitBy = "key"
    guard: Guard | None = None
    shadow: Shadow | None = None
    on_error: list[str] = Field(default_factory=list)
    on_context_overflow: list[str] = Field(default_factory=list)
    on_refusal: list[str] = Field(default_factory=list)
    upstreams: list[UpstreamState] = Field(default_factory=list)
    updated_at: datetime | None = None
