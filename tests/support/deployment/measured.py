"""The metrics that there are: those that the code defines and those that Prometheus records from them."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[3]


@cache
def measured() -> set[str]:
    """Every metric that a service or a library defines."""
    files = [*ROOT.glob("services/*/src/**/*.py"), *ROOT.glob("libs/*/src/**/*.py")]
    return {name for file in files for name in re.findall(r'"(groundwork_[a-z0-9_]+)"', file.read_text())}


@cache
def recorded() -> set[str]:
    """Every recording rule."""
    groups = yaml.safe_load((ROOT / "deploy/prometheus/rules/recording.yml").read_text())["groups"]
    return {rule["record"] for group in groups for rule in group["rules"]}
