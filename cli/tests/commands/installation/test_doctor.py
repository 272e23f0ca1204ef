from __future__ import annotations

from cli.tests.terminal import run


def test_doctor_examines_without_changing_anything() -> None:
    done = run("doctor")
    assert "python" in done.output
    assert "disk" in done.output
