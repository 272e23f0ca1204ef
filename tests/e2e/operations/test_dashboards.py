"""Every panel shows data: a real load on a real home, asked of a real Prometheus by the dashboards' own queries."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from tests.support.agent.calling_model import calling_model
from tests.support.deployment.prometheus import PROMETHEUS, Prometheus, running_prometheus
from tests.support.home.all_kinds import SETTINGS, Load, pause, write_models
from tests.support.home.stack import ROOT, running_home

BOARDS = sorted((ROOT / "deploy/grafana/dashboards").glob("*.json"))
SECONDS = 300.0
"""Much above what it takes, for a busy machine."""
ELSEWHERE = (
    "groundwork_inference_engine_waiting",
    "vllm:",
    "rest_responses_",
    "collections_vector_total",
    "cluster_peers_total",
    "memory_resident_bytes",
)
"""Of vLLM and of Qdrant's server, which a home does not run: tests/structure checks the names."""
QUIET = {
    "groundwork_gateway_experiments_ended_total": "people must like one variant less than another, thirty of each",
    "groundwork_ingest_jobs_put_back_total": "a service that jobs need must be away",
}
"""What a home that is well has nothing of, though it is driven through everything: metric → why."""

pytestmark = pytest.mark.skipif(PROMETHEUS is None, reason="prometheus is not installed here")


def _queries() -> list[tuple[str, str]]:
    found = []
    for file in BOARDS:
        board = json.loads(file.read_text())
        panels: list[dict[str, Any]] = board["panels"]
        found += [
            (f"{board['title']} / {panel['title']}", target["expr"])
            for panel in panels
            for target in panel.get("targets", [])
        ]
    return [each for each in found if not any(name in each[1] for name in (*ELSEWHERE, *QUIET))]


@dataclass(frozen=True)
class Seen:
    """What Prometheus had at the end."""

    empty_panels: dict[str, str]
    alerts: set[str]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """Rounds of load until no panel is without data, or time is up."""
    folder = tmp_path_factory.mktemp("dashboards")
    with calling_model() as calling:
        settings = {**SETTINGS, "INFERENCE_MODELS_FILE": str(write_models(folder / "models.yaml", calling))}
        with (
            running_home(folder / "home", settings) as home,
            running_prometheus(folder / "prometheus", home) as prometheus,
            httpx2.Client(
                base_url=home.base_url, headers={"Authorization": f"Bearer {home.admin_key}"}, timeout=60
            ) as http,
        ):
            return Seen(_driven(Load(home, http), prometheus), prometheus.alerts())


def _driven(load: Load, prometheus: Prometheus) -> dict[str, str]:
    """Title and query of the panels that stay without data."""
    until, number, missing = time.monotonic() + SECONDS, 0, dict(_queries())
    while missing and time.monotonic() < until:
        number += 1
        load.round(number)
        for _ in range(10):
            pause(0.5)
            missing = {title: expr for title, expr in _queries() if not prometheus.values(expr)}
            if not missing:
                break
    return missing


def test_every_panel_shows_data(seen: Seen) -> None:
    assert not seen.empty_panels


def test_alerts_tell_of_what_was_done_to_the_home_and_of_nothing_that_was_not(seen: Seen) -> None:
    assert {"CircuitOpen", "BudgetNearlySpent"} <= seen.alerts
    assert not seen.alerts & {
        "WorkerSilent",
        "QueueWithoutConsumer",
        "OldestJobWaits",
        "ModelStalled",
        "UsageNotWritten",
    }
