"""docker-compose.yml: what it promises, read from the file, and that Docker accepts it where Docker is."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docker-compose.yml"
DEFAULT = {"secrets", "gateway", "ingest", "worker", "retriever", "inference", "agent", "redis", "postgres", "qdrant"}


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    return dict(yaml.safe_load(FILE.read_text())["services"])


def test_the_default_stack_is_the_whole_platform(services: dict[str, dict[str, Any]]) -> None:
    assert {name for name, service in services.items() if "profiles" not in service} == DEFAULT
    assert {name for name, service in services.items() if service.get("profiles") == ["gpu"]} == {"vllm"}


def test_only_the_gateway_is_published_and_only_on_loopback_unless_asked(services: dict[str, dict[str, Any]]) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published == {"gateway": ["${GROUNDWORK_BIND:-127.0.0.1}:${GROUNDWORK_PORT:-8080}:8080"]}


def test_images_are_pinned(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        tag = service["image"].rpartition(":")[2]
        assert re.fullmatch(r"v?\d[\w.]*", tag), f"{name} uses {service['image']}"


def test_every_container_is_confined_and_checked(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        if not service["image"].startswith("groundwork/"):
            assert "healthcheck" in service, name
    dockerfile = (ROOT / "deploy/docker/Dockerfile").read_text()
    assert "\nUSER groundwork\n" in dockerfile
    assert "\nHEALTHCHECK " in dockerfile


def test_there_is_no_default_password(services: dict[str, dict[str, Any]]) -> None:
    given = {
        f"{name}: {key}": value
        for name, service in services.items()
        for key, value in service.get("environment", {}).items()
        if re.search("PASSWORD|SECRET|TOKEN|KEY", key) and not key.endswith("_FILE")
    }
    assert given == {"vllm: HF_TOKEN": "${HF_TOKEN:-}"}


@pytest.mark.skipif(
    shutil.which("docker") is None
    or subprocess.run(["docker", "compose", "version"], capture_output=True).returncode != 0,
    reason="docker compose is not installed here; the tests above read the file without it",
)
@pytest.mark.parametrize("profile", [[], ["--profile", "gpu"], ["--profile", "observability"]], ids=str)
def test_docker_accepts_the_file_as_it_is(profile: list[str]) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GROUNDWORK")}
    done = subprocess.run(
        ["docker", "compose", *profile, "--env-file", ROOT / ".env.example", "config", "--quiet"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
