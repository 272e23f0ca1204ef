"""A sweep in a running home: settings tried on a collection, a lab that is killed meanwhile, the winner applied."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from tests.support.home.stack import RunningHome
from tests.support.improvement.spare_parts import PARTS, empty_parts, fill_parts
from tests.support.ingest.peers import until

from contracts.improvement.sweeps import Trial
from groundwork.errors import ApiError, Unreachable

COMMAND = Path(sys.executable).parent / "groundwork"
SECONDS = 300


def groundwork(home: RunningHome, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "GROUNDWORK_HOME": str(home.home.root), "COLUMNS": "200"}
    return subprocess.run([str(COMMAND), *arguments], env=environment, capture_output=True, text=True, timeout=600)


def _has_ended(home: RunningHome, sweep: str) -> bool:
    """Asked of a lab that is away for a moment."""
    found: Trial | None = None
    with suppress(ApiError, Unreachable):
        found = home.client.sweeps.get(sweep)
    return found is not None and found.status not in ("queued", "running")


def test_settings_are_tried_while_the_lab_is_killed_and_the_winner_is_applied_and_undone(home: RunningHome) -> None:
    client = home.client
    fill_parts(client)
    splits = ("--choose", "train", "--confirm", "test")
    for kind in ("embedding", "rerank"):
        refused = groundwork(home, "eval", "sweep", "parts", "places", "--set", f"{kind}_model=no-such", *splits)
        assert refused.returncode == 1
        assert f"There is no {kind} model 'no-such'" in " ".join(refused.stderr.split())
    started = groundwork(home, "eval", "sweep", "parts", "places", "--set", "mode=hybrid,dense,sparse", *splits)
    assert started.returncode == 0, started.stderr
    sweep = started.stdout.split()[0]
    until(lambda: client.sweeps.get(sweep).done > 5, "some questions were asked")
    first = home.supervisor.processes()["lab"].pid
    os.kill(first, signal.SIGKILL)
    until(lambda: _has_ended(home, sweep), "the sweep has ended", SECONDS)
    assert home.supervisor.processes()["lab"].pid != first
    found = client.sweeps.get(sweep)
    assert found.status == "completed", found.error
    assert [one.words for one in found.candidates] == ["dense", "hybrid", "sparse"]
    assert found.done == (3 + 2) * PARTS // 2
    assert found.may_apply, found.verdict
    assert all(one.figures["retrieval_ndcg_10"].questions == PARTS // 2 for one in found.candidates)
    assert found.candidates[2].figures["retrieval_ndcg_10"].mean == 1
    before = client.search("parts", "hall").hits[0].scores
    applied = groundwork(home, "evaluation", "sweep", "apply", sweep)
    assert applied.returncode == 0, applied.stderr
    assert found.confirmation is not None
    winner = found.candidates[found.confirmation.number].settings.mode
    assert client.collections.get("parts").mode == winner
    assert client.search("parts", "hall").hits[0].scores != before, "who says nothing searches so now"
    again = groundwork(home, "evaluation", "sweep", "apply", sweep)
    assert again.returncode == 1
    assert "nothing to apply" in " ".join(again.stderr.split())
    assert groundwork(home, "evaluation", "sweep", "revert", sweep).returncode == 0
    assert client.collections.get("parts").mode == "dense"
    client.sweeps.delete(sweep)
    empty_parts(client)


def test_sizes_of_chunks_are_tried_while_the_lab_is_killed_and_only_the_ledger_shows_it(home: RunningHome) -> None:
    client = home.client
    fill_parts(client)
    client.collections.change("parts", mode="sparse")
    before, embedded = client.collections.get("parts"), _embedded(home)
    sweep = client.sweeps.start(
        "parts", "places", {"chunk_size": [16, 64]}, choose_split="train", confirm_split="test"
    ).id
    until(lambda: client.sweeps.get(sweep).index_job is not None, "an index is built", SECONDS)
    assert [one.name for one in client.collections.list()].count("parts") == 1
    os.kill(home.supervisor.processes()["lab"].pid, signal.SIGKILL)
    until(lambda: _has_ended(home, sweep), "the sweep has ended", SECONDS)
    found = client.sweeps.get(sweep)
    assert found.status == "completed", found.error
    assert [one.words for one in found.candidates] == ["sparse", "sparse, chunks of 16", "sparse, chunks of 64"]
    assert all(one.figures["retrieval_ndcg_10"].mean == 1 for one in found.candidates)
    assert found.verdict.startswith("Keep sparse")
    assert found.index_job is None
    after = client.collections.get("parts")
    assert (after.index.shadow, after.chunking, after.index.generation) == (None, before.chunking, 1)
    assert _embedded(home) - embedded > 0, "what the indexes embed is charged"
    client.sweeps.delete(sweep)
    empty_parts(client)


def _embedded(home: RunningHome) -> int:
    return sum(row.embedding_tokens for row in home.client.usage())
