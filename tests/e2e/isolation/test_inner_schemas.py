"""Schemathesis against each inner service, as it runs: whatever it makes up is answered, never by a bare 500, and what
is against the schema is refused.

`SCHEMA_SECONDS=45` looks longer.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import get_args

import pytest
from tests.support.home.traced import Traced

from contracts.access.delegation import Audience, Delegation, Scope
from servicekit.auth.delegation import DelegationSigner
from servicekit.core.clock import SystemClock

SECONDS = int(os.environ.get("SCHEMA_SECONDS") or 6)
TURNS = 12
LEFT_OUT = r"documents:restore|/readyz$"
"""A ZIP, which Schemathesis can't make; and readiness, which rightly says 503 while a part is away."""
LENIENT = r"^/v1/(chat/completions|embeddings|rerank)$"
"""Calls of other people's APIs, whose bodies may have other types than their schema says."""
CONFIG = f"""
[checks]
enabled = false
not_a_server_error.enabled = true
content_type_conformance.enabled = true
negative_data_rejection.enabled = true

[[operations]]
include-path-regex = '{LENIENT}'
checks.negative_data_rejection.enabled = false
"""


@pytest.mark.parametrize("service", ["ingest", "retriever", "inference", "agent", "lab"])
def test_what_schemathesis_makes_up_is_answered(traced: Traced, tmp_path: Path, service: str) -> None:
    for turn in range(1, TURNS + 1):  # a busy machine makes up less in the same time: each turn has more of it
        done = _made_up(traced.home.inner_url(service), _token(traced), turn, tmp_path)
        assert "Test cases:" in done.stdout, done.stdout[-3000:] + done.stderr[-3000:]
        lines = [line for line in traced.home.log_events(service) if line.get("tenant") == "made-up"]
        statuses = Counter(line["status"] for line in lines if line["event"] == "call")
        if done.returncode != 0 or sum(statuses.values()) > 10 * len(statuses):
            break
    assert sum(statuses.values()) > 10 * len(statuses), f"let in, and tried in many ways: {statuses}"
    assert any(status < 300 for status in statuses), statuses
    broken = [
        line["event"]
        for line in traced.home.log_events(service)
        if line["level"] in ("error", "critical") and "exception" in line
    ]
    assert (done.returncode, broken) == (0, []), done.stdout[-8000:]


def _made_up(url: str, token: str, turn: int, folder: Path) -> subprocess.CompletedProcess[str]:
    """One run of Schemathesis over a service."""
    config = folder / "schemathesis.toml"
    config.write_text(CONFIG)
    command = [
        str(Path(sys.executable).parent / "schemathesis"), "--config-file", str(config), "run", f"{url}/openapi.json",
        "-H", f"Authorization: Bearer {token}", "-H", f"Groundwork-Grant: {token}",
        "--exclude-path-regex", LEFT_OUT, "--phases", "coverage,fuzzing",
        "--max-examples", str(SECONDS), "--max-time", str(SECONDS * turn), "--request-timeout", "60",
        "--suppress-health-check", "all", "--seed", str(turn), "--no-color",
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS * turn * 20 + 600, cwd=folder)


def _token(traced: Traced) -> str:
    """What the gateway would give a key of a tenant of its own, for every service."""
    key = (traced.home.home.keys / "delegation.key").read_bytes()
    delegation = Delegation(
        audiences=get_args(Audience),
        tenant="made-up",
        key_id="key_made_up",
        scopes=tuple(scope for scope in get_args(Scope) if scope != "admin"),
        request_id="req_made_up",
    )
    return DelegationSigner(key, SystemClock()).sign(delegation, timedelta(minutes=10))
