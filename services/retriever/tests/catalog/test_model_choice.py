from __future__ import annotations

import pytest

from retriever.catalog.model_choice import choose_model, default_model, obvious_choice
from retriever.errors import EmbeddingModelUnknown
from retriever.models.protocol import EmbeddingModel

ENGLISH = EmbeddingModel("minilm", 384, 256, ("en",), is_default=True)
EUROPEAN = EmbeddingModel("euro", 384, 512, ("de", "fr"))
ALL = EmbeddingModel("e5", 384, 503, "all")
SILENT = EmbeddingModel("paid", 1536, 8191)
BROKEN = EmbeddingModel("e5", 384, 503, "all", is_failed=True)


@pytest.mark.parametrize(
    ("models", "language", "chosen"),
    [
        ([ENGLISH, ALL], "en", "minilm"),
        ([ENGLISH, ALL], "zh", "e5"),
        ([ENGLISH, ALL], None, "e5"),
        ([ENGLISH, EUROPEAN, ALL], "de", "euro"),
        ([ENGLISH, EUROPEAN, ALL], None, "e5"),
        ([SILENT, ENGLISH, ALL], "ar", "e5"),
        ([ENGLISH, EUROPEAN], "zh", "minilm"),
        ([ENGLISH, BROKEN], "zh", "minilm"),
        ([ENGLISH, BROKEN, EUROPEAN], "de", "euro"),
    ],
)
def test_the_default_model_is_taken_if_it_reads_the_language_else_the_first_that_does(
    models: list[EmbeddingModel], language: str | None, chosen: str
) -> None:
    assert obvious_choice(models) is None
    assert choose_model(models, language, "it").model.name == chosen


def test_the_reason_says_what_was_found_and_what_was_missed() -> None:
    assert choose_model([ENGLISH, ALL], "en", "its first document").reason == "its first document is in en"
    assert "several languages" in choose_model([ENGLISH, ALL], None, "it").reason
    assert "no model here says that it reads" in choose_model([ENGLISH, EUROPEAN], "zh", "it").reason
    assert "e5, which reads it, could not be loaded" in choose_model([ENGLISH, BROKEN], "zh", "it").reason


@pytest.mark.parametrize(
    "models",
    [
        pytest.param([ENGLISH], id="there is no other"),
        pytest.param([ENGLISH, SILENT], id="no other says what it reads"),
        pytest.param([EmbeddingModel("own", 8, 64, is_default=True), ALL], id="the operator's own says nothing"),
        pytest.param([EmbeddingModel("own", 8, 64, "all", is_default=True), EUROPEAN], id="it reads all"),
    ],
)
def test_where_no_document_could_change_it_the_default_model_is_taken_at_once(models: list[EmbeddingModel]) -> None:
    choice = obvious_choice(models)
    assert choice is not None
    assert choice.model is models[0]
    assert choice.reason.startswith("the default model")
    assert choose_model(models, "zh", "it") == choice


def test_an_installation_without_a_default_model_says_so() -> None:
    with pytest.raises(EmbeddingModelUnknown):
        default_model([EUROPEAN])
