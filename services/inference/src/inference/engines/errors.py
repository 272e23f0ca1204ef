"""The facts that end a classification."""

from __future__ import annotations

from servicekit.core.errors import Conflict, InvalidRequest


class LabelsMissing(InvalidRequest):
    """An embedding model is to classify, and nobody said into what."""

    code = "labels_missing"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The embedding model '{name}' has no labels of its own. Send `labels`, or choose a model of kind "
            "classification (GET /v1/models).",
            param="labels",
        )


class LabelsAlike(InvalidRequest):
    """Two labels have one name."""

    code = "labels_alike"

    def __init__(self) -> None:
        super().__init__(
            "Each label needs a name of its own, also once this key's guardrails have masked it; two are alike.",
            param="labels",
        )


class HeadUnusable(Conflict):
    """A trained head has lost the vectors that it was trained on."""

    code = "head_unusable"

    def __init__(self, name: str, why: str) -> None:
        super().__init__(
            f"The model '{name}' can't classify: {why}. Train it again on the embedding model as it is now, or bring "
            "back the one that it was trained on.",
            param="model",
        )


class ProjectionUnusable(Conflict):
    """What was learnt of questions has lost the vectors that it was learnt on."""

    code = "projection_unusable"

    def __init__(self, name: str, why: str) -> None:
        super().__init__(
            f"The model '{name}' can't embed: {why}. Learn it again on the embedding model as it is now, or bring back "
            "the one that it was trained on.",
            param="model",
        )


class CorrectionUnusable(Conflict):
    """What was learnt of a reading model's chances has lost the model that it was learnt on."""

    code = "correction_unusable"

    def __init__(self, name: str, why: str) -> None:
        super().__init__(
            f"The model '{name}' can't read: {why}. Learn it again on the reading model as it is now, or bring back "
            "the one that it was learnt on.",
            param="model",
        )


class InputsTooLong(InvalidRequest):
    """Texts have more parts than one call may have read."""

    code = "inputs_too_long"

    def __init__(self, most: int) -> None:
        super().__init__(
            f"The inputs have more than {most} parts of what the model reads at once. Send fewer or shorter ones, or "
            "have their beginning read alone (`long_inputs: cut` of /v1/classify).",
            param="input",
        )
