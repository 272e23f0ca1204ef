"""What can be wrong with a model's name."""

from __future__ import annotations

from servicekit.core.errors import (
    Conflict,
    InvalidRequest,
    NotFound,
)


class ModelNotFound(NotFound):
    """No such model, or the key may not use it."""

    code = "model_not_found"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The model `{name[:200]}` does not exist or you do not have access to it. GET /v1/models lists yours.",
            param="model",
        )


class NoReranker(NotFound):
    """No rerank model is configured."""

    code = "no_reranker"

    def __init__(self) -> None:
        super().__init__(
            "No rerank model is configured. Add one to the models file of inference, or search without rerank.",
            param="model",
        )


class NoReader(NotFound):
    """No reading model is configured."""

    code = "no_reader"

    def __init__(self) -> None:
        super().__init__(
            "No reading model is configured. Add one to the models file of inference, with `kind: reading`.",
            param="model",
        )


class NoClassifier(NotFound):
    """No classification model is configured."""

    code = "no_classifier"

    def __init__(self) -> None:
        super().__init__(
            "No classification model is configured. Train one, declare one with `kind: classification`, or send "
            "`labels` and an embedding model, which needs no training.",
            param="model",
        )


class NoModeration(NotFound):
    """No classification model has rules for moderation."""

    code = "no_moderation"

    def __init__(self) -> None:
        super().__init__(
            "No model that moderates is configured. Declare a classification model with `moderation`: which of its "
            "labels are which category.",
            param="model",
        )


class RulesUnusable(Conflict):
    """A label of a model's moderation is none of the model's: nothing would ever be flagged for it."""

    code = "rules_unusable"

    def __init__(self, name: str, label: str) -> None:
        super().__init__(
            f"The model '{name}' can't moderate: its `moderation` names the label '{label}', which it does not have. "
            "Name one of its labels (GET /v1/models). If it was replaced just now, ask again.",
            param="model",
        )


class WrongModelKind(InvalidRequest):
    """The model does something else."""

    code = "wrong_model_kind"

    def __init__(self, name: str, kind: str, wanted: str) -> None:
        super().__init__(f"'{name}' is a model for {kind}, but this call needs one for {wanted}.", param="model")
