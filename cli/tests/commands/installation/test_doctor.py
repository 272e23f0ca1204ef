from __future__ import annotations

from pathlib import Path

import pytest
from cli.tests.terminal import run

from groundwork.stack import doctor
from groundwork.stack.checks.findings import Finding


def test_doctor_examines_without_changing_anything(tmp_path: Path) -> None:
    done = run("doctor")
    assert "python" in done.output
    assert "disk" in done.output
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("sick", [True, False])
def test_what_is_wrong_is_shown_with_how_to_mend_it_and_by_the_exit_status(
    monkeypatch: pytest.MonkeyPatch, sick: bool
) -> None:
    findings = [
        Finding("disk", True, "[red] 9 GB free", "Free some space."),
        Finding("redis", not sick, "x", "Start it."),
    ]
    monkeypatch.setattr(doctor, "examine", lambda home, port: iter(findings))
    done = run("doctor")
    assert done.exit_code == (1 if sick else 0)
    lines = ["✓ disk: [red] 9 GB free", *(["✗ redis: x", "    Start it."] if sick else ["✓ redis: x"])]
    assert done.stdout.splitlines() == lines
