from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from services.inference.tests.engines.wrappers.engines import FakeEngine
from services.inference.tests.serving.test_served_model import Process

from inference.catalog.identity import Identity
from inference.catalog.models_file import Model
from inference.errors import ModelNotReady
from inference.protocol.engines import Engine
from inference.serving.served_model import Declaration, ServedModel
from inference.tuned.errors import NotTunable
from inference.tuned.weights import Weights, weights_of

LLAMA = {
    "name": "small",
    "kind": "chat",
    "engine": "llamacpp",
    "source": {"path": "/models/small.gguf"},
    "context_length": 512,
}


def served(weights: Path | None) -> ServedModel[Engine]:
    declaration = Declaration(Model.model_validate(LLAMA))
    return ServedModel(
        declaration, FakeEngine("."), identify=lambda: Identity("sha256:a"), child=Process(weights=weights)
    )


async def test_the_weights_of_a_model_that_is_one_file_are_given_with_their_digest() -> None:
    model = served(Path("/models/small.gguf"))
    with pytest.raises(ModelNotReady):
        await weights_of(model)
    await model.open()
    assert await weights_of(model) == Weights(Path("/models/small.gguf"), "sha256:a")


async def test_a_model_of_several_files_or_of_another_engine_is_not_tunable(declared: Any) -> None:
    model = served(None)
    await model.open()
    with pytest.raises(NotTunable, match="one GGUF file"):
        await weights_of(model)
    other: ServedModel[Engine] = ServedModel(Declaration(Model.model_validate(declared["chat"])), FakeEngine("."))
    await other.open()
    with pytest.raises(NotTunable):
        await weights_of(other)
