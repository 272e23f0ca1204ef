"""Alert rules: of metrics that exist, each tested, each with a section that says what to do."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.deployment.measured import measured

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "deploy" / "prometheus"
SUFFIXES = ("_bucket", "_sum", "_count", "_total", "")
TESTS = sorted((FOLDER / "tests").glob("*.yml"))
PROMTOOL = shutil.which("promtool")


def _rules(kind: str) -> dict[str, dict[str, Any]]:
    found = {}
    for file in sorted((FOLDER / "rules").glob("*.yml")):
        for group in yaml.safe_load(file.read_text())["groups"]:
            found.update({rule[kind]: rule for rule in group["rules"] if kind in rule})
    return found


ALERTS = _rules("alert")


@pytest.mark.parametrize("name", [*ALERTS, *_rules("record")])
def test_a_rule_is_about_metrics_that_are_measured(name: str) -> None:
    rule = ALERTS.get(name) or _rules("record")[name]
    used, recorded = set(re.findall(r"groundwork_[a-z0-9_]+", rule["expr"])), set(_rules("record"))
    there = measured()
    known = {metric for metric in used if any(metric.removesuffix(suffix) in there for suffix in SUFFIXES)}
    assert used - known == set()
    assert set(re.findall(r"groundwork:[a-z0-9_:]+", rule["expr"])) <= recorded


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_has_a_severity_a_summary_and_a_section_in_the_runbook(name: str) -> None:
    rule = ALERTS[name]
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"]["summary"]
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    headings = re.findall(r"^### (.+)$", (ROOT / page).read_text(), re.MULTILINE)
    assert anchor in {heading.lower() for heading in headings}


def test_every_alert_is_seen_quiet_firing_and_resolved() -> None:
    tests = [test for file in TESTS for test in yaml.safe_load(file.read_text())["tests"]]
    for name in ALERTS:
        states = [
            (each["eval_time"], bool(each["exp_alerts"]))
            for test in tests
            if any(each["alertname"] == name and each["exp_alerts"] for each in test.get("alert_rule_test", []))
            for each in test["alert_rule_test"]
            if each["alertname"] == name
        ]
        assert any(firing for _, firing in states), f"{name} never fires"
        assert not states[-1][1], f"{name} never resolves"


@pytest.mark.skipif(
    PROMTOOL is None, reason="promtool is not installed here; the tests above read the rules without it"
)
@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "config", "--syntax-only", "prometheus.yml"],
        ["test", "rules", *(f"tests/{file.name}" for file in TESTS)],
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_prometheus_s_own_tool_agrees(arguments: list[str]) -> None:
    done = subprocess.run([str(PROMTOOL), *arguments], cwd=FOLDER, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
