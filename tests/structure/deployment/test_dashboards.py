"""Dashboards: written from code, of metrics that are measured, found by Grafana where compose mounts them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.deployment.measured import measured, recorded

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "deploy" / "grafana"
BOARDS: dict[str, dict[str, Any]] = {
    file.stem: json.loads(file.read_text()) for file in sorted((FOLDER / "dashboards").glob("*.json"))
}
FOREIGN = {
    line
    for line in (ROOT / "tests/support/deployment/foreign_metrics.txt").read_text().splitlines()
    if line and line[0] != "#"
}
WORDS = {"sum", "rate", "max", "min", "count", "by", "le", "or", "vector", "increase", "histogram_quantile", "time"}
SUFFIXES = ("_bucket", "_sum", "_count", "_total", "")


def _panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def _metrics(expr: str) -> set[str]:
    """The names of metrics in PromQL as these boards write it."""
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|by \([^)]*\)", " ", expr)
    return {name for name in re.findall(r"[A-Za-z_:][A-Za-z0-9_:]*", bare) if name not in WORDS}


def test_the_committed_dashboards_are_what_the_boards_say() -> None:
    done = subprocess.run([sys.executable, FOLDER / "build.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_there_is_a_board_for_each_part() -> None:
    assert set(BOARDS) == {
        f"groundwork-{part}" for part in ("overview", "gateway", "ingest", "retrieval", "inference", "agents")
    }
    assert {name: board["uid"] for name, board in BOARDS.items()} == {name: name for name in BOARDS}


@pytest.mark.parametrize("name", BOARDS)
def test_a_panel_is_about_metrics_that_are_measured(name: str) -> None:
    ours, rules = measured(), recorded()
    for panel in _panels(BOARDS[name]):
        assert panel["targets"], panel["title"]
        for target in panel["targets"]:
            used = _metrics(target["expr"])
            assert used, target["expr"]
            unknown = {
                metric
                for metric in used - FOREIGN - rules
                if not any(metric.removesuffix(suffix) in ours for suffix in SUFFIXES)
            }
            assert not unknown, panel["title"]


@pytest.mark.parametrize("name", BOARDS)
def test_panels_have_titles_of_their_own_and_do_not_overlap(name: str) -> None:
    rows = [panel["title"] for panel in BOARDS[name]["panels"] if panel["type"] == "row"]
    assert len(set(rows)) == len(rows)
    taken: set[tuple[int, int]] = set()
    for panel in BOARDS[name]["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells


def test_grafana_finds_the_boards_and_prometheus_where_compose_mounts_them() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    mounts = dict(volume.split(":")[:2] for volume in compose["grafana"]["volumes"] if volume.startswith("./"))
    assert mounts["./deploy/grafana/provisioning"] == "/etc/grafana/provisioning"
    (provider,) = yaml.safe_load((FOLDER / "provisioning/dashboards/groundwork.yml").read_text())["providers"]
    assert mounts["./deploy/grafana/dashboards"] == provider["options"]["path"]
    (source,) = yaml.safe_load((FOLDER / "provisioning/datasources/prometheus.yml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    assert "prometheus" in compose
    used = {target["datasource"]["uid"] for board in BOARDS.values() for p in _panels(board) for target in p["targets"]}
    assert used == {source["uid"]}


def test_an_alert_that_a_panel_names_exists() -> None:
    alerts = {
        rule["alert"]
        for group in yaml.safe_load((ROOT / "deploy/prometheus/rules/alerts.yml").read_text())["groups"]
        for rule in group["rules"]
    }
    text = " ".join(panel["description"] for board in BOARDS.values() for panel in _panels(board))
    assert set(re.findall(r"[Aa]lert ([A-Z]\w+)", text)) <= alerts


def test_the_page_tells_of_every_row() -> None:
    page = (ROOT / "docs" / "dashboards.md").read_text()
    rows = {panel["title"] for board in BOARDS.values() for panel in board["panels"] if panel["type"] == "row"}
    assert {row for row in rows if f"**{row}**" not in page} == set()
