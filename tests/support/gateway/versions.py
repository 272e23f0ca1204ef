"""What the stand-in of inference says of its models, and what one reads from its answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contracts.models.versions import ModelVersion


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
