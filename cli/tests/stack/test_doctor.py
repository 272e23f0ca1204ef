from __future__ import annotations

import os
from pathlib import Path

import pytest
from cli.tests.installation import NOTHING, overrides, run_state
from tests.support.network.certificates import write_certificate

from contracts.core.health import PartState
from groundwork.stack import doctor
from groundwork.stack.checks.findings import Finding
from groundwork.stack.configuration.overrides import PREFIXES
from groundwork.stack.doctor import examine, examine_certificate
from groundwork.stack.home.folder import Home
from groundwork.stack.status import Row
from groundwork.stack.supervision.processes import Memory
from groundwork.stack.supervision.readiness import Readiness


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the environment and the folder that the tests run in."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith((*PREFIXES, "REDIS_URL")):
            monkeypatch.delenv(name)


def examined(home: Home, port: int = 0) -> dict[str, Finding]:
    return {finding.check: finding for finding in examine(home, port=port)}


def test_a_home_that_is_not_there_yet_is_sound_and_stays_away(home: Home) -> None:
    found = examined(home)
    assert all(found[name].ok for name in ("python", "home", "settings", "port", "processes"))
    assert "made at the first start" in found["home"].detail
    assert not home.root.exists()


def test_secrets_that_others_may_read_are_named_with_the_command_that_mends_it(home: Home) -> None:
    home.create()
    for name, bits in (("admin.key", 0o640), ("delegation.pub", 0o644), ("redis.password", 0o600)):
        (home.keys / name).write_text("x")
        (home.keys / name).chmod(bits)
    finding = examined(home)["home"]
    assert (finding.ok, finding.detail) == (False, "others may read admin.key")
    home.root.chmod(0o755)
    finding = examined(home)["home"]
    assert finding.detail == "others may read home, admin.key"
    assert finding.mend == f"chmod -R go= {home.root}"


def test_a_restore_that_did_not_finish_is_told_first(home: Home) -> None:
    home.create()
    home.root.chmod(0o755)
    home.restoring_file.write_text("backup.tar\n")
    assert "did not finish" in examined(home)["home"].detail


def test_a_disk_that_is_nearly_full_is_told_with_what_each_service_keeps_there(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.create()
    for name, size in (("agent", 2_000_000), ("ingest", 4_000_000)):
        home.data(name).mkdir()
        (home.data(name) / "file").write_bytes(b"x" * size)
    assert " GB free; ingest 4 MB, agent 2 MB" in examined(home)["disk"].detail
    monkeypatch.setattr(doctor, "MIN_FREE_BYTES", 2**62)
    finding = examined(home)["disk"]
    assert not finding.ok
    assert f"disk of {home.root}" in finding.mend


def test_a_misspelt_setting_is_named_and_one_of_another_program_is_not(home: Home) -> None:
    home.create()
    home.settings_file.write_text("AGENT_LOGLEVEL=debug\nEDITOR=vi\n")
    finding = examined(home)["settings"]
    assert (finding.ok, finding.detail) == (False, "no such setting: AGENT_LOGLEVEL")


def test_settings_that_can_not_be_read_end_the_examination_of_stores_and_of_nothing_else(home: Home) -> None:
    home.create()
    home.settings_file.write_bytes(b"\xff")
    found = examined(home)
    assert not found["settings"].ok
    assert "workers" not in found
    assert found["processes"].ok


@pytest.mark.parametrize(("port", "ok"), [(0, True), (8080, False)], ids=["any", "a taken one"])
def test_a_port_that_is_taken_is_told_with_who_has_it(
    home: Home, monkeypatch: pytest.MonkeyPatch, port: int, ok: bool
) -> None:
    monkeypatch.setattr(doctor, "is_free", lambda _: False)
    monkeypatch.setattr(doctor, "owner", lambda _: "'nginx' (process 7)")
    finding = examined(home, port)["port"]
    assert finding.ok is ok
    assert ("8080 is taken by 'nginx' (process 7)" in finding.detail) is not ok


def test_a_supervisord_that_does_not_answer_is_told_with_how_to_start_anew(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.create()
    monkeypatch.setattr(doctor, "running_state", run_state)
    found = examined(home)
    assert "port" not in found, "the home itself has it"
    assert not found["processes"].ok
    assert found["processes"].mend == "`groundwork down`, then `groundwork up`."


def test_a_model_that_failed_is_told_with_its_reason_though_inference_is_ready(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.create()
    told = PartState(ok=True, detail="The model 'mine' is not ready: it failed to load: there is no file m.gguf.")
    ready = Readiness(True, "ready", {"model:mine": told, "model:minilm": PartState(ok=True)})
    monkeypatch.setattr(doctor, "running_state", run_state)
    monkeypatch.setattr(doctor, "look", lambda *_: [Row("inference", 7, "RUNNING", 21_000, Memory(), ready)])
    found = examined(home)
    assert found["inference"].ok
    assert (found["model mine"].ok, found["model mine"].detail) == (
        False,
        "failed: it failed to load: there is no file m.gguf.",
    )
    assert "groundwork model remove mine" in found["model mine"].mend
    assert "model minilm" not in found


def test_a_certificate_that_ends_soon_or_does_not_fit_its_key_is_told(home: Home, tmp_path: Path) -> None:
    def told(file: Path, key: Path) -> Finding:
        files = {"GATEWAY_TLS_CERTIFICATE_FILE": str(file), "GATEWAY_TLS_KEY_FILE": str(key)}
        (found,) = examine_certificate(overrides(home, **files))
        return found

    good = write_certificate(tmp_path / "good", "a.example.org")
    ends_soon = write_certificate(tmp_path / "soon", "a.example.org", days=3)
    assert told(*good).ok
    assert not told(*ends_soon).ok
    assert "without a restart" in told(*ends_soon).mend
    assert "without a password" in told(good[0], ends_soon[1]).mend
    assert not list(examine_certificate(NOTHING))
