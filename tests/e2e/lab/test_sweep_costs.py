"""What a sweep says that it has cost is what the ledger has, and a killed ingest worker changes nothing of it.

A home of its own, with models that are there at once and that have prices.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psutil
import pytest
import yaml
from tests.support.home.stack import ROOT, RunningHome, running_home, usage_at_rest
from tests.support.improvement.spare_parts import PARTS, fill_parts
from tests.support.ingest.peers import until

from contracts.improvement.sweeps import Trial

SECONDS = 600
PRICES = {"scripted-embedding": 0.37, "scripted-rerank": 0.013}
LEASE = {"INGEST_LEASE_SECONDS": "5", "INGEST_POLL_SECONDS": "1", "RETRIEVER_RERANK_MILLISECONDS": "60000"}
"""A dead worker's jobs are taken over after this, which the test has to wait for."""


@pytest.fixture(scope="module")
def priced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHome]:
    folder = tmp_path_factory.mktemp("priced")
    file = folder / "models.yaml"
    models = yaml.safe_load((ROOT / "deploy/config/models.scripted.yaml").read_text())
    for model in models["models"]:
        if model["name"] in PRICES:
            model["price"] = {"prompt_usd_per_million": PRICES[model["name"]]}
    file.write_text(yaml.safe_dump(models))
    with running_home(folder / "home", {**LEASE, "INFERENCE_MODELS_FILE": str(file)}) as running:
        yield running


def spans(home: RunningHome) -> dict[str, list[tuple[int, int]]]:
    """Every chunk by document, of the index that serves."""
    client = home.client
    return {
        one.id: [(chunk.start, chunk.end) for chunk in client.documents.chunks("parts", one.id)]
        for one in client.documents.list("parts")
    }


def kill_worker(home: RunningHome) -> None:
    """With its children, and wait until there is another one."""
    pid = home.supervisor.processes()["worker"].pid
    worker = psutil.Process(pid)
    for process in (*worker.children(recursive=True), worker):
        process.kill()
    psutil.wait_procs([worker], timeout=60)
    until(lambda: home.supervisor.processes()["worker"].pid not in (0, pid), "another worker", SECONDS)


def swept(home: RunningHome, *, killed: bool) -> tuple[Trial, Decimal]:
    """A sweep of sizes of chunks, with what the ledger has more since it began."""
    client = home.client
    before = usage_at_rest(home)[1]
    settings: dict[str, list[Any]] = {"rerank": [False, True], "chunk_size": [16, 64]}
    sweep = client.sweeps.start("parts", "places", settings, choose_split="train", confirm_split="test").id
    if killed:
        until(lambda: client.sweeps.get(sweep).waiting_on == "index", "an index is being built", SECONDS)
        kill_worker(home)
    until(lambda: client.sweeps.get(sweep).status not in ("queued", "running"), "the sweep has ended", SECONDS)
    found = client.sweeps.get(sweep)
    assert found.status == "completed", found.error
    return found, Decimal(usage_at_rest(home)[1]) - Decimal(before)


def test_a_killed_worker_leaves_a_sweep_its_cost_and_its_collection_as_they_were(priced: RunningHome) -> None:
    fill_parts(priced.client)
    before, chunks = priced.client.collections.get("parts"), spans(priced)
    calm, cost = swept(priced, killed=False)
    assert calm.cost_usd is not None
    assert Decimal(calm.cost_usd) == cost > 0
    found, cost = swept(priced, killed=True)
    assert found.cost_usd is not None
    assert Decimal(found.cost_usd) == cost
    assert cost >= Decimal(calm.cost_usd), "what a killed worker embedded is embedded and charged again, if at all"
    assert found.done == calm.done
    assert all(one.figures["retrieval_ndcg_10"].questions == PARTS // 2 for one in found.candidates)
    means = [[one.figures["retrieval_ndcg_10"].mean for one in sweep.candidates] for sweep in (calm, found)]
    assert means[0] == means[1], "an index that lost or doubled a chunk would find something else"
    after = priced.client.collections.get("parts")
    assert (after.index.shadow, after.index.generation, after.index.points) == (
        None, before.index.generation, before.index.points,
    )  # fmt: skip
    assert (after.chunks, spans(priced)) == (before.chunks, chunks)
