"""Which embedding model a collection gets that leaves it to us, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from retriever.errors import EmbeddingModelUnknown
from retriever.models.protocol import EmbeddingModel


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model, and the reason as it is shown."""

    model: EmbeddingModel
    reason: str


def default_model(models: Sequence[EmbeddingModel]) -> EmbeddingModel:
    """The one that `default` means; raises `EmbeddingModelUnknown`."""
    for model in models:
        if model.is_default:
            return model
    raise EmbeddingModelUnknown("default", [model.name for model in models])


def obvious_choice(models: Sequence[EmbeddingModel]) -> ModelChoice | None:
    """The choice that no document can change; null where one is worth waiting for."""
    default = default_model(models)
    if default.languages is None:
        return ModelChoice(default, "the default model, which reads no language better than others as far as it says")
    if default.languages == "all":
        return ModelChoice(default, "the default model, which reads all languages")
    if not any(model.languages for model in models if model is not default):
        return ModelChoice(default, "the default model, since no other says which languages it reads")
    return None


def choose_model(models: Sequence[EmbeddingModel], language: str | None, what: str) -> ModelChoice:
    """The default model if it reads the language, else the first that does, else the default all the same.

    `language` is null for a text in several languages, or in one that is not known: only who reads all reads that.
    `what` is whose language it is, for the reason. Raises `EmbeddingModelUnknown` where there is no default.
    """
    if (obvious := obvious_choice(models)) is not None:
        return obvious
    default = default_model(models)
    about = f"{what} is in {language}" if language else f"{what} is in several languages, or one that is not known"
    readers = [model for model in (default, *models) if _reads(model, language)]
    for model in readers:
        if model is default or not model.is_failed:
            return ModelChoice(model, about)
    if readers:
        return ModelChoice(
            default, f"{about}, and {readers[0].name}, which reads it, could not be loaded: the default one"
        )
    return ModelChoice(default, f"{about}, which no model here says that it reads: the default one")


def _reads(model: EmbeddingModel, language: str | None) -> bool:
    if model.languages is None:
        return False
    return model.languages == "all" or language in model.languages
