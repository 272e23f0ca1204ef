"""HTTPS by setting: the home's gateway speaks it, its own commands go on working, and a renewal needs no restart."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from tests.e2e.operations.test_running_home import eventually
from tests.support.home.stack import RunningHome, running_home
from tests.support.network.certificates import write_certificate
from typer.testing import CliRunner

from groundwork.commands import app

NAME = "groundwork.example.org"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_certificate(tmp_path_factory.mktemp("tls"), NAME)


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory, files: tuple[Path, Path]) -> Iterator[RunningHome]:
    """A home of its own whose gateway has a certificate."""
    settings = {
        "GATEWAY_TLS_CERTIFICATE_FILE": str(files[0]),
        "GATEWAY_TLS_KEY_FILE": str(files[1]),
        "INFERENCE_MODELS_FILE": "deploy/config/models.scripted.yaml",
    }
    with running_home(tmp_path_factory.mktemp("secured") / "home", settings) as running:
        yield running


def _asked_as(secured: RunningHome, context: ssl.SSLContext) -> httpx2.Response:
    """As a client far away that knows the name and whom to believe."""
    port = secured.state.ports["gateway"]
    with httpx2.Client(verify=context, timeout=60) as http:
        return http.get(f"https://127.0.0.1:{port}/readyz", headers={"Host": NAME}, extensions={"sni_hostname": NAME})


def test_a_client_that_believes_the_certificate_is_answered(secured: RunningHome, files: tuple[Path, Path]) -> None:
    assert _asked_as(secured, ssl.create_default_context(cafile=str(files[0]))).status_code == 200


def test_a_client_that_does_not_is_not_and_plain_http_says_nothing(secured: RunningHome) -> None:
    with pytest.raises(httpx2.ConnectError):
        _asked_as(secured, ssl.create_default_context())
    with pytest.raises(httpx2.RequestError):
        httpx2.get(f"http://127.0.0.1:{secured.state.ports['gateway']}/readyz", timeout=60)


def test_documents_are_taken_and_answers_streamed(secured: RunningHome) -> None:
    client = secured.client
    client.collections.ensure("lamps")
    text = "The lamp of the eastern pier is lit at nine minutes past eight."
    done = client.documents.upload("lamps", text.encode(), filename="lamps.txt")
    assert done.job is not None
    assert client.jobs.wait(done.job.id, timeout=60).status == "ready"
    assert client.search("lamps", "eastern pier", limit=1).hits[0].text == text


def test_the_home_s_commands_find_their_gateway(secured: RunningHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUNDWORK_HOME", str(secured.home.root))
    for command in (["status"], ["collection", "list"]):
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 0, done.output
    assert f"https://127.0.0.1:{secured.state.ports['gateway']}" in CliRunner().invoke(app, ["status"]).output


def test_a_renewed_certificate_is_served_without_a_restart(secured: RunningHome, files: tuple[Path, Path]) -> None:
    before = secured.supervisor.processes()["gateway"].pid
    write_certificate(files[0].parent, NAME, kind="rsa")

    def is_served() -> bool:
        try:
            return _asked_as(secured, ssl.create_default_context(cafile=str(files[0]))).status_code == 200
        except httpx2.ConnectError:
            return False

    assert eventually(is_served)
    assert secured.supervisor.processes()["gateway"].pid == before
