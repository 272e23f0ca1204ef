from __future__ import annotations

import pytest
from qdrant_client import models

from retriever.settings import RetrieverSettings
from retriever.stores.qdrant.options import AS_CONFIGURED, Spread, spread_of


def test_without_settings_a_cluster_is_as_the_server_is_configured() -> None:
    assert spread_of(RetrieverSettings()) == AS_CONFIGURED == Spread()


def test_settings_say_how_a_collection_is_spread_over_a_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "SHARDS": "6",
        "REPLICAS": "3",
        "WRITE_CONSISTENCY": "2",
        "READ_CONSISTENCY": "majority",
    }.items():
        monkeypatch.setenv(f"RETRIEVER_QDRANT_{name}", value)
    assert spread_of(RetrieverSettings()) == Spread(6, 3, 2, models.ReadConsistencyType.MAJORITY)
