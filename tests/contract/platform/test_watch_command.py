"""`groundwork ingest --watch` as a process, against the real gateway and ingest's real API."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.support.gateway.ingest import gateway_to_ingest
from tests.support.gateway.running import RunningGateway

DEADLINE_SECONDS = 60.0
COMMAND = [sys.executable, "-c", "from groundwork.commands import app; app()"]


class Command:
    """The running command and what it has printed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def says(self, *lines: str) -> None:
        """Wait until each of these has been printed, in any order."""
        missing = set(lines)
        assert self.process.stdout is not None
        async with asyncio.timeout(DEADLINE_SECONDS):
            while missing:
                line = (await self.process.stdout.readline()).decode()
                assert line, f"it ended without {missing}"
                missing.discard(" ".join(line.split()))


@asynccontextmanager
async def watching(gateway: RunningGateway, folder: Path) -> AsyncIterator[Command]:
    given = ["--base-url", gateway.url, "ingest", "--watch", str(folder), "-c", "handbook", "--interval", "0.1"]
    environment = {**os.environ, "GROUNDWORK_API_KEY": gateway.admin_key, "PYTHONUNBUFFERED": "1"}
    process = await asyncio.create_subprocess_exec(
        *COMMAND, *given, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield Command(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def ids(gateway: RunningGateway) -> dict[str, int]:
    """Paths and revisions of the collection's documents."""
    answer = await gateway.call("GET", "/v1/collections/handbook/documents")
    return {each["metadata"]["path"]: each["revision"] for each in (await answer.json())["data"]}


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
async def test_a_folder_and_its_documents_stay_the_same_until_the_watch_is_ended(
    tmp_path: Path, ending: signal.Signals
) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "a.md").write_text("# A")
    (folder / "b.md").write_text("# B")
    async with gateway_to_ingest(tmp_path / "home", {}) as gateway:
        async with watching(gateway, folder) as command:
            await command.says("new a.md", "new b.md")
            (folder / "a.md").write_text("# Other")
            (folder / "b.md").unlink()
            await command.says("changed a.md revision 2", "deleted b.md")
            assert await ids(gateway) == {"a.md": 2}
            command.process.send_signal(ending)
            _, notes = await asyncio.wait_for(command.process.communicate(), DEADLINE_SECONDS)
            assert command.process.returncode == 0, notes
            assert b"Stopped watching" in notes
            assert b"Traceback" not in notes
        (folder / "c.md").write_text("# C")
        async with watching(gateway, folder) as command:
            await command.says("new c.md")
            assert await ids(gateway) == {"a.md": 2, "c.md": 1}
