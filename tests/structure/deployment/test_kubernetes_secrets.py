"""The secrets of a Kubernetes installation: every one that a pod mounts is made, random, and read by a setting."""

from __future__ import annotations

import io
import json
import os
import pty
import runpy
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from tests.support.deployment.kubernetes import FOLDER, check, container, documents, pod, workloads

from gateway.admin.first_start import ensure_key_pair
from gateway.auth.keys import is_secret
from gateway.settings import GatewaySettings
from ingest.settings import IngestSettings
from retriever.settings import RetrieverSettings

SCRIPT = FOLDER / "make_secrets.py"
SETTINGS = {"gateway": GatewaySettings, "ingest": IngestSettings, "retriever": RetrieverSettings}
Held = dict[str, dict[str, str]]


def _run(*arguments: str) -> tuple[int, str, str]:
    """Exit status, stdout, stderr."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            status = runpy.run_path(str(SCRIPT))["main"](list(arguments))
        except SystemExit as end:
            status = end.code
    return status, out.getvalue(), err.getvalue()


def _made(*arguments: str) -> Held:
    status, out, err = _run(*arguments)
    assert status == 0, err
    items = json.loads(out)["items"]
    for item in items:
        check(item)
        assert item["metadata"]["namespace"] == "groundwork"
    return {item["metadata"]["name"]: item.get("stringData") or item["data"] for item in items}


@pytest.fixture(scope="module")
def made() -> Held:
    return _made("--trial-stores")


def _wanted(workload: dict[str, Any]) -> set[str]:
    volumes = {
        name
        for each in pod(workload)["volumes"]
        for name in (each.get("secret", {}).get("secretName"), each.get("configMap", {}).get("name"))
        if name and name.startswith("groundwork-")
    }
    references = [each.get("valueFrom", {}).get("secretKeyRef", {}) for each in container(workload).get("env", [])]
    return volumes | {each["name"] for each in references if each and not each.get("optional")}


def test_every_secret_that_a_pod_needs_is_made_and_no_other(made: Held) -> None:
    wanted = {
        name
        for workload in workloads([*documents("base"), *documents("components")]).values()
        for name in _wanted(workload)
    }
    assert wanted == set(made)


def test_a_key_is_a_setting_of_the_service_that_mounts_it(made: Held) -> None:
    for service, settings in SETTINGS.items():
        keys = {key for key in made[f"groundwork-{service}"] if not key.endswith(".key")}
        assert {key.removeprefix(f"{service}_") for key in keys} <= set(settings.model_fields)
        assert all(key.startswith(f"{service}_") for key in keys)


def test_no_value_is_ever_the_same(made: Held) -> None:
    again = _made("--trial-stores")
    assert not {(name, key) for name, held in made.items() for key, value in held.items() if again[name][key] == value}


def test_the_gateway_takes_over_its_keys_from_read_only_files(made: Held, tmp_path: Path) -> None:
    private, public = tmp_path / "delegation.key", tmp_path / "delegation.pub"
    private.write_text(made["groundwork-gateway"]["delegation.key"])
    public.write_text(made["groundwork-delegation"]["delegation.pub"])
    written = public.stat().st_mtime_ns
    ensure_key_pair(private, public)
    assert public.stat().st_mtime_ns == written, "the gateway would write over a ConfigMap"
    assert is_secret(made["groundwork-gateway"]["admin.key"])


def test_stores_of_your_own_are_given_by_file_and_each_service_has_its_database(tmp_path: Path) -> None:
    (tmp_path / "postgres").write_text("postgresql+asyncpg://gw:p@db.example:5432/{database}?ssl=require\n")
    (tmp_path / "redis").write_text("rediss://:p@cache.example:6380/0\n")
    made = _made("--postgres-url-file", str(tmp_path / "postgres"), "--redis-url-file", str(tmp_path / "redis"))
    assert "groundwork-trial-stores" not in made
    for service in SETTINGS:
        url = made[f"groundwork-{service}"][f"{service}_database_url"]
        assert url == f"postgresql+asyncpg://gw:p@db.example:5432/{service}?ssl=require"
    assert made["groundwork-ingest"]["ingest_redis_url"] == "rediss://:p@cache.example:6380/0"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "give --trial-stores"),
        (["--postgres-url-file", "{wrong}", "--redis-url-file", "{wrong}"], "PostgreSQL's URL must be"),
    ],
)
def test_what_is_missing_is_said(arguments: list[str], says: str, tmp_path: Path) -> None:
    (tmp_path / "wrong").write_text("mysql://nowhere")
    given = [each.format(wrong=tmp_path / "wrong") for each in arguments]
    status, out, err = _run(*given)
    assert (status, out) == (2, "")
    assert says in err


def test_secrets_are_not_shown_on_a_terminal() -> None:
    ours, theirs = pty.openpty()
    with (
        os.fdopen(ours),
        os.fdopen(theirs, "w") as terminal,
        redirect_stdout(terminal),
        redirect_stderr(io.StringIO()) as err,
        pytest.raises(SystemExit) as end,
    ):
        runpy.run_path(str(SCRIPT))["main"](["--trial-stores"])
    assert end.value.code == 2
    assert "this prints secrets" in err.getvalue()
