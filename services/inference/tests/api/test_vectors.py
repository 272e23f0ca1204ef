from __future__ import annotations

from typing import Any

import pytest
from services.inference.tests.api.calls import error_of


def test_dimensions_are_taken_only_if_they_are_the_models(running: Any) -> None:
    assert running.post("/v1/embeddings", {"input": "x", "dimensions": 32}).status_code == 200
    answer = running.post("/v1/embeddings", {"input": "x", "dimensions": 16})
    assert answer.status_code == 400
    assert error_of(answer)["param"] == "dimensions"


@pytest.mark.parametrize(
    ("body", "param", "says"),
    [
        ({"input": ""}, "input", "empty"),
        ({"input": ["fine", ""]}, "input", "number 1"),
        ({"input": []}, "input", "there are 0"),
        ({"input": ["x"] * 10_000}, "input", "there are 10000"),
    ],
)
def test_inputs_that_can_not_be_embedded_are_422(running: Any, body: dict[str, Any], param: str, says: str) -> None:
    answer = running.post("/v1/embeddings", body)
    assert answer.status_code == 422
    error = error_of(answer)
    assert (error["param"] or "").startswith(param)
    assert says in error["message"]


@pytest.mark.parametrize(
    ("path", "body"),
    [("/v1/embeddings", {"input": "x"}), ("/v1/rerank", {"query": "x", "documents": ["x"]})],
)
def test_what_these_models_do_not_know_is_refused_by_name_and_what_asks_for_nothing_taken(
    running: Any, path: str, body: dict[str, Any]
) -> None:
    answer = running.post(path, body | {"speed": 1})
    assert answer.status_code == 400
    assert (error_of(answer)["code"], error_of(answer)["param"]) == ("unsupported_parameter", "speed")
    assert running.post(path, body | {"speed": None, "user": "u"}).status_code == 200


def test_rerank_without_a_reranker_says_so(start: Any, declared: Any) -> None:
    answer = start(declared["embedding"]).post("/v1/rerank", {"query": "x", "documents": ["y"]})
    assert answer.status_code == 404
    assert error_of(answer)["code"] == "no_reranker"
