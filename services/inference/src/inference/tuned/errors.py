"""What can be wrong with tuning a model that is served here."""

from __future__ import annotations

from servicekit.core.errors import Conflict, InvalidRequest


class NotTunable(InvalidRequest):
    """There are no weights that could be tuned."""

    code = "model_not_tunable"

    def __init__(self, model: str) -> None:
        super().__init__(
            f"The model '{model[:128]}' can't be tuned: that takes a chat model of engine llamacpp in one GGUF file, "
            "without adapters, or one on vLLM with `vllm.lora` in its declaration. GET /v1/models lists what there is.",
            param="model",
        )


class EncoderNotTunable(InvalidRequest):
    """There is no encoder beside whose layers something could be learnt."""

    code = "model_not_tunable"

    def __init__(self, model: str, kind: str = "embedding") -> None:
        if kind == "reading":
            takes, instead = "of Groundwork's own form", "Choose one such, as the packaged one is"
        else:
            takes = "of engine sentence-transformers whose folder has one encoder and its pooling"
            instead = "Leave 'form' out, which learns on the vectors of any"
        super().__init__(
            f"The {kind} model '{model[:128]}' can't be tuned by 'lora': that takes one {takes}. {instead}.",
            param="model",
        )


class TunedNameTaken(Conflict):
    """Somebody else's model has the name; whose it is is not told."""

    code = "model_name_taken"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The name '{name}' is taken. Choose another one, for a tuned model another suffix.", param="id"
        )


class TooManyTunedModels(Conflict):
    """A tenant has as many as it may."""

    code = "too_many_tuned_models"

    def __init__(self, most: int) -> None:
        super().__init__(
            f"This tenant has {most} tuned models, which is the most (INFERENCE_TUNED_MODELS_PER_TENANT). Remove one "
            "first: DELETE /v1/models/{id}."
        )


class ParentReplaced(Conflict):
    """The model that was tuned is another one now."""

    code = "base_model_replaced"

    def __init__(self, model: str) -> None:
        super().__init__(
            f"The model '{model}' is another one than the job learnt on: what was learnt fits it no more. Start "
            "another job.",
            param="model",
        )


class AdapterIncomplete(Conflict):
    """What was learnt is not here as a whole."""

    code = "adapter_incomplete"

    def __init__(self, job: str) -> None:
        super().__init__(f"What the tuning job '{job}' has learnt did not come whole. Publish it again.")


class AdapterTooLarge(InvalidRequest):
    """More bytes than are kept of one."""

    code = "adapter_too_large"

    def __init__(self, most: int) -> None:
        super().__init__(
            f"What was learnt is larger than {most:,} bytes, the most that is served. Choose a smaller rank."
        )
