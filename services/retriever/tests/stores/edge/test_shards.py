from __future__ import annotations

from pathlib import Path

import pytest

from contracts.retrieval.collections import VectorOptions
from retriever.errors import GenerationMissing, VectorStoreLocked
from retriever.stores.edge.shards import Shards

OPTIONS = VectorOptions()


def test_a_shard_is_there_once_made_and_gone_once_deleted(tmp_path: Path) -> None:
    shards = Shards(tmp_path, 4)
    shards.create("g", 4, OPTIONS)
    shards.create("g", 4, OPTIONS)
    assert shards.names() == ["g"]
    with shards.use("g") as (engine, shard):
        assert (engine.info().points_count, shard.unindexed()) == (0, 0)
    shards.delete("g")
    shards.delete("g")
    with pytest.raises(GenerationMissing), shards.use("g"):
        pass
    shards.close()


def test_only_so_many_shards_stay_open(tmp_path: Path) -> None:
    shards = Shards(tmp_path, 1)
    for name in ("a", "b"):
        shards.create(name, 4, OPTIONS)
        with shards.use(name):
            pass
    with shards.use_open("a") as closed, shards.use_open("b") as opened:
        assert closed is None
        assert opened is not None
    shards.close()


def test_a_folder_has_one_owner_and_a_new_one_clears_what_was_left_unfinished(tmp_path: Path) -> None:
    shards = Shards(tmp_path, 4)
    with pytest.raises(VectorStoreLocked):
        Shards(tmp_path, 4)
    shards.create("g", 4, OPTIONS)
    shards.close()
    for left in (".unfinished-x", ".dropped-y", "g@1"):
        (tmp_path / left).mkdir()
    again = Shards(tmp_path, 4)
    assert again.names() == ["g"]
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["g"]
    again.close()
