"""The child that builds an index, as its parent starts it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from contracts.retrieval.collections import VectorOptions
from retriever.stores.edge.shards import Shards

SECONDS = 600


def run(folder: Path, parent: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "retriever.stores.edge.index_worker", str(folder), "1024", str(parent)]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)


def test_it_says_what_is_indexed_in_one_line(tmp_path: Path) -> None:
    shards = Shards(tmp_path, 4)
    shards.create("g", 4, VectorOptions())
    shards.close()
    done = run(tmp_path / "g", os.getpid())
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"points": 0, "vectors": 0}


def test_for_a_parent_that_is_gone_it_does_nothing(tmp_path: Path) -> None:
    done = run(tmp_path / "none", os.getpid() + 1)
    assert done.returncode == 1
    assert (done.stdout, done.stderr.strip()) == ("", "the retriever that wanted this index is gone")


def test_a_shard_that_cannot_be_read_is_a_failure_that_says_why(tmp_path: Path) -> None:
    done = run(tmp_path / "none", os.getpid())
    assert done.returncode != 0
    assert done.stderr
