from __future__ import annotations

from pathlib import Path

import pytest
from services.retriever.tests.conftest import Bench

from retriever.bootstrap import create_app, open_store
from retriever.settings import RetrieverSettings
from retriever.stores.edge.store import EdgeStore
from retriever.stores.readiness import prepare
from servicekit.core.errors import UpstreamFailed
from servicekit.core.probes import Degraded


async def test_without_a_qdrant_server_the_store_is_embedded_in_the_data_folder(tmp_path: Path) -> None:
    store = await open_store(RetrieverSettings(data_dir=tmp_path))
    assert isinstance(store, EdgeStore)
    await prepare(store)
    assert (tmp_path / "vectors" / "readiness").is_dir()
    await store.close()


async def test_without_inference_the_retriever_is_ready_and_says_what_is_missing(bench: Bench, tmp_path: Path) -> None:
    from retriever.bootstrap import _probes

    app = create_app(RetrieverSettings(data_dir=tmp_path), bench.parts)
    await _probes(bench.parts, app)["inference"]()
    bench.embedder.failure = UpstreamFailed("Inference is away.")
    with pytest.raises(Degraded, match="by words alone"):
        await _probes(bench.parts, app)["inference"]()
