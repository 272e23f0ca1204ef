"""Models found by name and kind: all that are served, or those that one tenant may see."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

from inference.catalog.models_file import Kind
from inference.errors import ModelNotFound, NoReader, NoReranker
from inference.protocol.engines import (
    ChatEngine,
    ClassificationEngine,
    EmbeddingEngine,
    Engine,
    ReadingEngine,
    RerankEngine,
)
from inference.serving.served_model import ServedModel
from servicekit.core.errors import ServiceError

LOADED_FIRST: tuple[Kind, ...] = ("embedding", "rerank", "reading", "classification", "chat")
"""Embeddings first: documents can be ingested while the chat model is still loading."""


class ModelLookup:
    """Some models by their names."""

    def __init__(self, serving: dict[str, ServedModel[Engine]]) -> None:
        self._serving = serving

    @property
    def all(self) -> Sequence[ServedModel[Engine]]:
        """Every model, in the order in which they are loaded."""
        return in_order(self._serving.values())

    def chat(self, name: str) -> ServedModel[ChatEngine]:
        """The chat model of that name, or the default one; raises `ModelNotFound`."""
        return cast("ServedModel[ChatEngine]", self._find(name, "chat"))

    def embedding(self, name: str) -> ServedModel[EmbeddingEngine]:
        """The embedding model of that name, or the default one; raises `ModelNotFound`."""
        return cast("ServedModel[EmbeddingEngine]", self._find(name, "embedding"))

    def rerank(self, name: str) -> ServedModel[RerankEngine]:
        """The rerank model of that name, or the default one; raises `NoReranker` or `ModelNotFound`."""
        return cast("ServedModel[RerankEngine]", self._find(name, "rerank", NoReranker))

    def reading(self, name: str) -> ServedModel[ReadingEngine]:
        """The reading model of that name, or the default one; raises `NoReader` or `ModelNotFound`."""
        return cast("ServedModel[ReadingEngine]", self._find(name, "reading", NoReader))

    def classification(self, name: str) -> ServedModel[ClassificationEngine]:
        """The classification model of that name, or the default one; raises `ModelNotFound`."""
        return cast("ServedModel[ClassificationEngine]", self._find(name, "classification"))

    def any(self, name: str) -> ServedModel[Engine]:
        """The model of that name, whatever its kind; `default` means the default embedding model."""
        found = self._serving.get(name)
        if found is not None:
            return found
        if name == "default":
            return self._find(name, "embedding")
        raise ModelNotFound(name, "")

    def _find(self, name: str, kind: Kind, none: Callable[[], ServiceError] | None = None) -> ServedModel[Engine]:
        """Raises `none()` where there is no model of the kind at all; a tenant's own is nobody's default."""
        of_kind = [served for served in self._serving.values() if served.model.kind == kind]
        for served in of_kind:
            if served.name == name or (name == "default" and served.model.default):
                return served
        if none is not None and not any(name != "default" or served.model.tenant is None for served in of_kind):
            raise none()
        raise ModelNotFound(name, kind)


def in_order(models: Iterable[ServedModel[Any]]) -> list[ServedModel[Any]]:
    """Added models last: no call may keep the operator's own from being loaded."""
    return sorted(models, key=lambda served: (served.declaration.is_added, LOADED_FIRST.index(served.model.kind)))
