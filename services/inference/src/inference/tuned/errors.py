"""What can be wrong with tuning a model that is served here."""

from __future__ import annotations

from servicekit.core.errors import InvalidRequest


class NotTunable(InvalidRequest):
    """There are no weights that could be tuned."""

    code = "model_not_tunable"

    def __init__(self, model: str) -> None:
        super().__init__(
            f"The model '{model[:128]}' can't be tuned: that takes a chat model of engine llamacpp in one GGUF file, "
            "without adapters. GET /v1/models lists what there is.",
            param="model",
        )
