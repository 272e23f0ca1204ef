"""What the stand-in of inference says of its models, and what one reads from its answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from contracts.models.catalog import ModelInfo
from contracts.models.versions import ModelVersion
from servicekit.core.errors import NotFound


def version_of(model: str) -> ModelVersion:
    """Each of its models is the same for ever."""
    return ModelVersion(model, fingerprint=f"{model}-1")


def named(model: str) -> dict[str, Any]:
    """The entry of a chat model."""
    return {"id": model, "kind": "chat", "fingerprint": version_of(model).fingerprint}


def writer_of(headers: Mapping[str, str]) -> dict[str, str]:
    """The fingerprint of the model that gave an answer."""
    version = ModelVersion.of(headers)
    return {version.model or "": version.fingerprint or ""}


def model_of(models: Iterable[ModelInfo], name: str) -> ModelInfo:
    """The one of that name; raises `NotFound`."""
    found = [model for model in models if model.id == name]
    if not found:
        raise NotFound(f"There is no model '{name}'.", param="id")
    return found[0]
