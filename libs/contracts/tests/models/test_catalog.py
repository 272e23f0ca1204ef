from __future__ import annotations

from typing import Any

import pytest
from libs.contracts.tests.refusals import refusal, refused_field
from pydantic import BaseModel

from contracts.models.catalog import (
    MAX_INPUTS,
    EmbeddingRequest,
    ModelInfo,
    ModelPrice,
    RerankRequest,
    rag_collections,
)

RANK: dict[str, Any] = {"query": "a", "documents": ["b"]}


@pytest.mark.parametrize(
    ("model", "body", "field"),
    [
        (EmbeddingRequest, {"input": []}, "input"),
        (EmbeddingRequest, {"input": ["a", ""]}, "input"),
        (EmbeddingRequest, {"input": ["a"] * (MAX_INPUTS + 1)}, "input"),
        (EmbeddingRequest, {"input": [1, -2]}, "input"),
        (EmbeddingRequest, {"input": [[1, "a"]]}, "input"),
        (EmbeddingRequest, {"input": None}, "input"),
        (EmbeddingRequest, {"input": ["a", "\ud800"]}, "input"),
        (EmbeddingRequest, {"input": "a", "dimensions": 0}, "dimensions"),
        (EmbeddingRequest, {"input": "a", "encoding_format": "hex"}, "encoding_format"),
        (EmbeddingRequest, {"input": "a", "Model": "other"}, "Model"),
        (EmbeddingRequest, {"input": "a", "x": float("nan")}, "x"),
        (RerankRequest, {**RANK, "documents": ["\ud800"]}, "documents"),
        (RerankRequest, {**RANK, "documents": []}, "documents"),
        (RerankRequest, {**RANK, "documents": ["a"] * 1001}, "documents"),
        (RerankRequest, {**RANK, "documents": [{"title": "a"}]}, "documents"),
        (RerankRequest, {**RANK, "query": ""}, "query"),
        (RerankRequest, {**RANK, "top_n": 0}, "top_n"),
        (RerankRequest, {**RANK, "rank_fields": ["title"]}, "rank_fields"),
        (RerankRequest, {**RANK, "TOP_N": 1}, "TOP_N"),
    ],
)
def test_a_wrong_field_is_refused_by_name(model: type[BaseModel], body: dict[str, Any], field: str) -> None:
    assert refused_field(model, body) == field


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "1 to 2048 of them, there are 0"),
        (["a", ""], "must not be empty; see number 1"),
        (["a", 5], "not int; see number 1"),
        (["\ud800"], "send whole characters; see number 0"),
    ],
)
def test_what_is_wrong_with_an_input_is_said_in_one_sentence(given: Any, words: str) -> None:
    assert words in refusal(EmbeddingRequest, {"input": given})[1]


def test_documents_may_be_texts_or_objects_with_one_and_become_texts() -> None:
    request = RerankRequest.model_validate({**RANK, "documents": ["a", {"text": "b", "title": "B"}, {"text": ""}]})
    assert request.documents == ["a", "b", ""]
    assert "see number 1" in refusal(RerankRequest, {**RANK, "documents": ["a", {"text": 5}]})[1]


def test_fields_that_only_the_upstream_model_knows_are_kept() -> None:
    assert EmbeddingRequest.model_validate({"input": "a", "truncate": "END"}).model_dump()["truncate"] == "END"


@pytest.mark.parametrize(
    ("model", "names"),
    [
        ("rag:a", ["a"]),
        ("rag:b, a ,b", ["b", "a"]),
        ("rag:", [""]),
        ("rag:a,,a", ["a", ""]),
        ("rag:rag:a", ["rag:a"]),
    ],
)
def test_a_model_of_documents_names_each_collection_once_in_its_order(model: str, names: list[str]) -> None:
    assert rag_collections(model) == names


def test_a_model_is_told_in_the_words_of_others_too() -> None:
    info = ModelInfo(id="big", kind="chat", context_length=4096)
    assert (info.root, info.max_model_len) == ("big", 4096)
    assert ModelInfo(id="alias", kind="chat", root="big", max_model_len=9).model_dump(
        include={"root", "max_model_len"}
    ) == {
        "root": "big",
        "max_model_len": None,
    }


def test_a_price_that_nobody_said_is_none_and_a_negative_one_is_no_price() -> None:
    assert ModelInfo(id="big", kind="chat").price is None
    assert refused_field(ModelPrice, {"prompt_usd_per_million": -1}) == "prompt_usd_per_million"
    price = ModelPrice.model_validate({"prompt_usd_per_million": "0.15"})
    assert (str(price.prompt_usd_per_million), price.cached_prompt_usd_per_million) == ("0.15", None)
