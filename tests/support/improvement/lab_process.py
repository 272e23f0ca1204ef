"""A lab in a process of its own, that can be killed and started again."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import aiohttp
from tests.support.gateway.running import RunningGateway

DEADLINE_SECONDS = 600.0


class Lab:
    """A process that can be killed and started again."""

    def __init__(self, folder: Path, port: int, gateway: RunningGateway) -> None:
        self.port, self.gateway = port, gateway
        self.environment = {
            **os.environ,
            "LAB_PORT": str(port),
            "LAB_DATA_DIR": str(folder / "lab"),
            "LAB_DELEGATION_PUBLIC_KEY_FILE": str(folder / "d.pub"),
            "LAB_GATEWAY_URL": gateway.plane_url,
            "LAB_EVALUATION_LEASE_SECONDS": "2",
            "LAB_EVALUATION_POLL_SECONDS": "0.3",
            "LAB_EVALUATION_CALLS": "4",
            "LAB_GENERATION_CALLS": "4",
        }
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "lab", env=self.environment, stdout=asyncio.subprocess.DEVNULL
        )
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                with suppress(aiohttp.ClientConnectionError):
                    async with self.gateway.session.get(f"http://127.0.0.1:{self.port}/healthz"):
                        return
                await asyncio.sleep(0.05)

    async def end(self, number: int = signal.SIGKILL) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            await self.process.wait()
