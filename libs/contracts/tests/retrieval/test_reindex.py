from __future__ import annotations

from typing import Any

import pytest
from libs.contracts.tests.refusals import refused_field
from pydantic import BaseModel

from contracts.retrieval.reindex import ReindexRequest, Shadow, ShadowRequest


@pytest.mark.parametrize(
    ("model", "body", "field"),
    [
        (ReindexRequest, {"embedding_model": ""}, "embedding_model"),
        (ReindexRequest, {"chunking": {"max_tokens": 100, "overlap": 51}}, "chunking"),
        (ReindexRequest, {"language": "german"}, "language"),
        (ReindexRequest, {"vectors": {"quantization": "ternary"}}, "vectors"),
        (ReindexRequest, {"rerank": True}, "rerank"),
        (ShadowRequest, {"key": "", "wanted": {}}, "key"),
        (ShadowRequest, {"key": "x" * 81, "wanted": {}}, "key"),
        (ShadowRequest, {"key": "job_1"}, "wanted"),
        (Shadow, {"generation": 2, "state": "lost"}, "state"),
        (Shadow, {"generation": 2, "state": "building", "progress": 1.01}, "progress"),
    ],
)
def test_a_wrong_field_is_refused_by_name(model: type[BaseModel], body: dict[str, Any], field: str) -> None:
    assert refused_field(model, body) == field


def test_what_a_reindex_leaves_out_stays_as_it_is() -> None:
    wanted = ReindexRequest.model_validate({"chunking": {"max_tokens": 100}})
    assert wanted.model_dump(exclude_none=True) == {"chunking": {"strategy": "auto", "max_tokens": 100, "overlap": 0}}
    assert ReindexRequest.model_validate({}).model_dump(exclude_none=True) == {}


def test_a_shadow_waits_for_nothing_unless_it_says_for_what() -> None:
    shadow = Shadow.model_validate({"generation": 2, "state": "gone", "reason": "abandoned"})
    assert (shadow.wanted, shadow.left, shadow.progress, shadow.recut) == ([], 0, 0.0, False)
