from __future__ import annotations

import pytest
from pydantic import ValidationError

from retriever.settings import RetrieverSettings


def test_the_environment_is_read_by_its_prefix_and_a_key_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETRIEVER_QDRANT_API_KEY", "s3cret")
    monkeypatch.setenv("RETRIEVER_QDRANT_READ_CONSISTENCY", "majority")
    monkeypatch.setenv("QDRANT_SHARDS", "7")
    settings = RetrieverSettings()
    assert settings.qdrant_api_key is not None
    assert settings.qdrant_api_key.get_secret_value() == "s3cret"
    assert "s3cret" not in repr(settings)
    assert (settings.qdrant_read_consistency, settings.qdrant_shards) == ("majority", None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("QDRANT_READ_CONSISTENCY", "most"),
        ("QDRANT_REPLICAS", "0"),
        ("RERANK_WEIGHT", "1.5"),
        ("RERANK_CANDIDATES", "201"),
        ("INDEX_POINTS", "-1"),
        ("INDEX_BUILD_MIB", "255"),
        ("EMBEDDING_BATCH", "65"),
        ("QUERY_EMBEDDING_SECONDS", "0"),
    ],
)
def test_a_bound_holds_and_the_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"RETRIEVER_{name}", value)
    with pytest.raises(ValidationError, match=name.lower()):
        RetrieverSettings()


def test_an_index_can_be_left_out_and_rerank_can_be_alone_in_its_say() -> None:
    settings = RetrieverSettings(index_points=0, rerank_weight=1)
    assert (settings.index_points, settings.rerank_weight) == (0, 1)
