"""The platform in containers: built, started, hurt and thrown away by `docker compose`."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import httpx2
import yaml

from groundwork.client import Groundwork

ROOT = Path(__file__).resolve().parents[3]
BUILD_SECONDS = 1200
READY_SECONDS = 300
QUIET = {"DOCKER_CLI_HINTS": "false", "COMPOSE_PROGRESS": "plain", "COMPOSE_MENU": "false"}
CERTIFICATES = ("GROUNDWORK_BUILD_CA", "SSL_CERT_FILE", "PIP_CERT")


class ComposeStack:
    """One project of `docker compose`, with vectors embedded where Qdrant's image isn't at hand."""

    def __init__(self, project: str, port: int) -> None:
        self.port = port
        self.base_url = f"http://127.0.0.1:{port}"
        files = [ROOT / "docker-compose.yml"]
        self._environment = {**os.environ, **QUIET, "GROUNDWORK_PORT": str(port)}
        if not has_image(_image_of("qdrant")):
            files.append(ROOT / "deploy" / "docker" / "embedded.yml")
            self._environment["RETRIEVER_QDRANT_URL"] = ""
        if folder := wheels():
            files.append(ROOT / "deploy" / "docker" / "wheels.yml")
            self._environment["GROUNDWORK_WHEELS"] = folder
        if file := certificates():
            self._environment["GROUNDWORK_BUILD_CA"] = file
        self._compose = ["docker", "compose", "--project-name", project]
        self._compose += [part for file in files for part in ("--file", str(file))]

    def run(self, *arguments: str, seconds: float = READY_SECONDS) -> str:
        """What a `docker compose` command prints; raises with its errors."""
        done = subprocess.run(
            [*self._compose, *arguments],
            cwd=ROOT,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == 0, (
            f"docker compose {' '.join(arguments)}:\n{done.stdout[-3000:]}{done.stderr[-6000:]}"
        )
        return done.stdout

    def build(self) -> None:
        """Every image of ours."""
        self.run("build", seconds=BUILD_SECONDS)

    def up(self) -> float:
        """Start what is not running; how many seconds until every container is healthy and the gateway ready."""
        started = time.monotonic()
        self.run(
            "up", "--detach", "--no-build", "--wait", "--wait-timeout", str(READY_SECONDS), seconds=READY_SECONDS + 60
        )
        self.wait_ready()
        return time.monotonic() - started

    def wait_ready(self) -> None:
        """Until the gateway says that each part of it answers."""
        deadline, pause = time.monotonic() + READY_SECONDS, Event()
        said = "nothing"
        while time.monotonic() < deadline:
            try:
                answer = httpx2.get(f"{self.base_url}/readyz", timeout=60)
            except httpx2.HTTPError as error:
                said = repr(error)
            else:
                said = answer.text
                if answer.status_code == 200:
                    return
            pause.wait(0.2)
        raise AssertionError(f"not ready in {READY_SECONDS} s: {said}")

    def admin_key(self) -> str:
        """The key that the first start made."""
        return self.run("exec", "-T", "gateway", "cat", "/var/lib/groundwork/data/admin.key").strip()

    def containers(self) -> dict[str, str]:
        """The id of each running container, by its service."""
        lines = self.run("ps", "--format", "json").splitlines()
        return {each["Service"]: each["ID"] for line in lines if (each := json.loads(line))["State"] == "running"}

    def kill_everything(self) -> None:
        """`docker kill` of all containers in one call, as a power cut would."""
        _docker("kill", *self.containers().values())

    def memory(self) -> dict[str, float]:
        """MiB in use by each container, by its service."""
        by_id = {identifier[:12]: service for service, identifier in self.containers().items()}
        lines = _docker("stats", "--no-stream", "--format", "{{.ID}} {{.MemUsage}}", *by_id).splitlines()
        return {by_id[each.split()[0][:12]]: _mebibytes(each.split()[1]) for each in lines}

    def client(self) -> Groundwork:
        """A client of the admin's."""
        return Groundwork(self.base_url, self.admin_key())

    def throw_away(self) -> None:
        """Containers, networks and volumes."""
        self.run("down", "--volumes", "--remove-orphans", "--timeout", "10")


@contextmanager
def compose_stack(project: str) -> Iterator[ComposeStack]:
    """A stack of its own on a free port, thrown away when the block ends; its logs are printed where it failed."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    stack = ComposeStack(project, port)
    try:
        yield stack
    except BaseException:
        report(stack.run("logs", "--no-color", "--tail", "40"))
        raise
    finally:
        stack.throw_away()


def wheels() -> str | None:
    """A folder of wheels on this machine, torch's for instance."""
    return next((each for each in os.environ.get("PIP_FIND_LINKS", "").split() if Path(each).is_dir()), None)


def certificates() -> str | None:
    """What this machine believes, where it sits behind a proxy that signs for others."""
    return next((os.environ[each] for each in CERTIFICATES if os.environ.get(each)), None)


def report(line: str) -> None:
    """A line for whoever runs the tests with -s, or reads of their failure."""
    sys.stdout.write(f"\n{line}\n")


def engine_reason() -> str | None:
    """Why containers can't be had here; null where they can."""
    try:
        done = (
            subprocess.run(
                ["docker", "compose", "version"], capture_output=True, text=True, timeout=60, check=False
            ).returncode
            or subprocess.run(["docker", "info"], capture_output=True, timeout=60, check=False).returncode
        )
    except OSError as error:
        return f"no docker command ({error})"
    return None if done == 0 else "the docker engine or its compose command does not answer"


def has_image(name: str) -> bool:
    """Whether the engine has this image already."""
    return subprocess.run(["docker", "image", "inspect", name], capture_output=True, check=False).returncode == 0


def image_megabytes(name: str) -> float:
    """Size of an image with all of its layers."""
    return int(_docker("image", "inspect", "--format", "{{.Size}}", name)) / 1e6


def images_of(services: Sequence[str]) -> dict[str, str]:
    """The image of each service in the compose file."""
    return {service: _image_of(service) for service in services}


def _image_of(service: str) -> str:
    return str(yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"][service]["image"])


def _docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _mebibytes(text: str) -> float:
    for unit, factor in (("GiB", 1024.0), ("MiB", 1.0), ("KiB", 1 / 1024), ("B", 1 / 1024**2)):
        if text.endswith(unit):
            return float(text.removesuffix(unit)) * factor
    raise ValueError(text)
