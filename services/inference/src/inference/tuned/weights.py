"""The weights of a model, for who tunes it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from inference.protocol.engines import Engine
from inference.serving.served_model import ServedModel
from inference.tuned.errors import NotTunable


@dataclass(frozen=True, slots=True)
class Weights:
    """One file."""

    path: Path
    digest: str
    """`sha256:…`."""


async def weights_of(served: ServedModel[Engine]) -> Weights:
    """What a model is served from; raises `ModelNotReady`, or `NotTunable` for any but one GGUF file."""
    if served.model.kind != "chat" or served.model.engine != "llamacpp":
        raise NotTunable(served.name)
    served.ready()
    path = served.weights
    if path is not None and served.version.digest is None:
        await served.identify()
    digest = served.version.digest
    if path is None or digest is None:
        raise NotTunable(served.name)
    return Weights(path, digest)
