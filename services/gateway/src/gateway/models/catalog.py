"""The models that inference offers, with their prices, cached for seconds."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from contracts.models.catalog import ModelInfo, ModelList, ModelPrice
from contracts.models.routes import is_plain
from gateway.auth.keys import Principal
from gateway.auth.tokens import MODELS, TokenIssuer
from gateway.models.errors import ModelNotFound, NoClassifier, NoModeration, NoReader, NoReranker, WrongModelKind
from gateway.storage.ttl_cache import TtlCache
from servicekit.core.clock import Clock
from servicekit.core.errors import ServiceError
from servicekit.peers.client import Peer
from servicekit.telemetry.metrics import known_label

PlainKind = Literal["chat", "embedding", "rerank", "reading", "classification"]
_NONE: Mapping[str, Callable[[], ServiceError]] = {
    "rerank": NoReranker,
    "reading": NoReader,
    "classification": NoClassifier,
}
"""What is said of kinds of which there need be no model."""
DEFAULT = "default"
FRESH_SECONDS = 1.0
"""How old the list may be that people are shown, or by which a name is said to be no model's."""
OPENAI_S = re.compile(r"(omni|text)-moderation-[a-z0-9-]{1,40}")
"""Names of OpenAI's own moderation models, which clients send without being asked."""


@dataclass(frozen=True, slots=True)
class Models:
    """One reading of the list: of all models, or of those that one tenant may see."""

    by_name: Mapping[str, ModelInfo]
    hidden: frozenset[str] = frozenset()
    """Names of models that are not this tenant's."""
    _by_tenant: dict[str, Models] = field(default_factory=dict, compare=False)

    @classmethod
    def of(cls, models: Sequence[ModelInfo]) -> Models:
        """From inference's answer. A model that works with another one's vectors or readings costs what that one does,
        unless it has a price of its own: a search is reckoned by the dearest that there is."""
        by_name = {model.id: model for model in models}
        for model in models:
            below = model.embedding_model if model.kind == "embedding" else None
            if model.kind in ("reading", "rerank"):
                below = model.parent
            inner = by_name.get(below or "")
            if inner is not None and model.price is None:
                by_name[model.id] = model.model_copy(update={"price": inner.price})
        return cls(by_name)

    def of_tenant(self, tenant: str) -> Models:
        """Everybody's models and the tenant's own: the one place where it is decided what a key can see. What a tuning
        job still looks at is nobody's."""
        owners = {model.tenant for model in self.by_name.values() if model.tenant is not None}
        if not owners:
            return self
        owner = tenant if tenant in owners else ""
        if owner not in self._by_tenant:
            seen = {name: model for name, model in self.by_name.items() if _is_seen(model, owner)}
            self._by_tenant[owner] = Models(seen, frozenset(self.by_name.keys() - seen.keys()))
        return self._by_tenant[owner]

    def resolve(self, name: str, kind: PlainKind, principal: Principal | None) -> ModelInfo:
        """The model that a caller means, or (None) a service of ours.

        Raises `ModelNotFound`, `WrongModelKind`, `NoReranker`, `NoReader` or `NoClassifier`.
        """
        if kind in _NONE and not any(model.kind == kind for model in self.by_name.values()):
            raise _NONE[kind]()
        model = self.only(kind) if name == DEFAULT else self.by_name.get(name)
        if model is None or not (principal is None or principal.allows_model(model.id)):
            raise ModelNotFound(name)
        if model.kind != kind:
            raise WrongModelKind(name, model.kind, kind)
        return model

    def classifier(self, name: str, principal: Principal, *, by_labels: bool) -> ModelInfo:
        """The model that classifies: `default` is an embedding model for labels that are sent, else a classification
        model; raises what `resolve` does."""
        named = self.by_name.get(name)
        is_embedding = by_labels if name == DEFAULT else named is not None and named.kind == "embedding"
        return self.resolve(name, "embedding" if is_embedding else "classification", principal)

    def moderator(self, name: str, principal: Principal) -> ModelInfo:
        """The classification model that moderates: the one that is named, else the default or only one with rules.

        OpenAI's names mean the configured one, too. Raises `NoModeration` or `ModelNotFound`.
        """
        able = [model for model in self.by_name.values() if model.moderation is not None and model.tenant is None]
        if not able:
            raise NoModeration
        if name in self.by_name or not (name == DEFAULT or OPENAI_S.fullmatch(name)):
            chosen = self.resolve(name, "classification", principal)
            if chosen.moderation is None:
                raise NoModeration
            return chosen
        default = next((model for model in able if model.default), able[0] if len(able) == 1 else None)
        if default is None or not principal.allows_model(default.id):
            raise ModelNotFound(name)
        return default

    def worker(self, model: ModelInfo) -> ModelInfo:
        """The model that does a call's work: a head's embedding model, whose price and limits hold where the head has
        none of its own."""
        inner = self.by_name.get(model.embedding_model or "")
        if inner is None:
            return model
        update = {"price": model.price or inner.price}
        return (model if model.limits is not None else inner).model_copy(update=update)

    def of_any_kind(self, name: str, principal: Principal) -> ModelInfo:
        """The plain model of that name that the key may use, `default` being the chat model; raises `ModelNotFound`."""
        model = self.only("chat") if name == DEFAULT else self.by_name.get(name)
        if model is None or not principal.allows_model(model.id):
            raise ModelNotFound(name)
        return model

    def visible_to(self, principal: Principal) -> list[ModelInfo]:
        """The plain models that a key may use."""
        return [model for model in self.by_name.values() if principal.allows_model(model.id)]

    def price(self, name: str | None) -> ModelPrice | None:
        """A model's price, if anybody knows it."""
        model = self.by_name.get(name or "")
        return model.price if model else None

    def only(self, kind: PlainKind) -> ModelInfo | None:
        """The one model that a service meant when it named none: the default of a kind, or the only one. A tenant's
        own is asked by its name."""
        of_kind = [model for model in self.by_name.values() if model.kind == kind and model.tenant is None]
        return next((model for model in of_kind if model.default), of_kind[0] if len(of_kind) == 1 else None)


def _is_seen(model: ModelInfo, tenant: str) -> bool:
    if model.tuned is not None and model.tuned.stage == "candidate":
        return False
    return model.tenant in (None, tenant)


_PASSING: dict[str, object] = {"state": None, "reason": None, "asleep": False}
"""What of a model changes though it stays the same."""


class Catalog:
    """Asks inference for its models, at most once in `seconds`; `changed` hears of a name that is another model now."""

    def __init__(
        self,
        inference: Peer,
        issuer: TokenIssuer,
        clock: Clock,
        seconds: float,
        changed: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._changed = changed
        self._inference = inference
        self._issuer = issuer
        self._last = Models.of([])
        self._models: TtlCache[None, Models] = TtlCache(self._read, seconds=seconds, capacity=1, clock=clock)

    async def models(self, tenant: str, named: str | None = None) -> Models:
        """The models that a tenant's keys may see now; raises what inference answered if they can't be had.

        One that is `named` and not known may have been published a moment ago: inference is asked once more, at most
        once a second.
        """
        found = (await self._models.get(None)).of_tenant(tenant)
        if named is None or named == DEFAULT or named in found.by_name or not is_plain(named):
            return found
        return (await self._models.get(None, FRESH_SECONDS)).of_tenant(tenant)

    async def shown(self, tenant: str) -> Models:
        """The same for a list that people look at, who may have published one a moment ago: at most a second old, or
        while inference is away as old as `models` has them."""
        try:
            return (await self._models.get(None, FRESH_SECONDS)).of_tenant(tenant)
        except ServiceError:
            return await self.models(tenant)

    async def known(self, tenant: str) -> Models:
        """The same or, while inference is away, as last read: for prices, which nothing should wait for."""
        try:
            return await self.models(tenant)
        except ServiceError:
            return self._last.of_tenant(tenant)

    def discard(self) -> None:
        """Ask anew next time."""
        self._models.invalidate(None)

    def label(self, model: str | None) -> str:
        """A metric's `model` label: a configured model, `rag`, `agent`, or for one that could not
        be filled `prompt`; else `other`."""
        if model is not None and model.startswith("rag:"):
            return "rag"
        if model is not None and model.startswith("agent:"):
            return "agent"
        if model is not None and model.startswith("prompt:"):
            return "prompt"
        return known_label(model or "", self._last.by_name)

    async def _read(self, _: None) -> Models:
        answer = await self._inference.call(
            "GET", "/v1/models", ModelList, token=self._issuer.own_token(MODELS, ("chat",))
        )
        models = Models.of(answer.data)
        for name, before in self._last.by_name.items():
            now = models.by_name.get(name)
            if now is None or now.model_copy(update=_PASSING) != before.model_copy(update=_PASSING):
                self._changed(name)
        self._last = models
        return models
