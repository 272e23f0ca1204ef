from __future__ import annotations

import pytest

from groundwork.errors import GroundworkError
from groundwork.stack.home.errors import NotRunning, PortTaken, RestoreFailed, StackError, StartFailed, Unsupervised


@pytest.mark.parametrize(
    ("name", "setting"),
    [("gateway", "GROUNDWORK_PORT or `groundwork up --port`"), ("agent", "AGENT's own setting")],
)
def test_a_port_that_is_taken_is_told_with_the_setting_that_chooses_another(name: str, setting: str) -> None:
    assert str(PortTaken(80, "'nginx' (process 7)", name)) == (
        f"Port 80 is taken by 'nginx' (process 7). Stop that, or choose another port with {setting}."
    )


def test_processes_without_their_supervisord_are_no_running_home_but_told_otherwise() -> None:
    error = Unsupervised("/home", 3)
    assert isinstance(error, NotRunning)
    assert "3 of its processes still serve" in str(error)
    assert "Nothing runs" not in str(error)


def test_a_restore_that_failed_without_a_word_is_told_as_such() -> None:
    assert str(RestoreFailed("agent", [])).endswith("could not be restored: it said nothing.")
    assert str(RestoreFailed("agent", ["The disk is full."])).endswith("could not be restored: The disk is full.")


def test_a_failed_start_keeps_its_log_out_of_its_sentence() -> None:
    error = StartFailed("agent", "ended 3 times", "Traceback\nValueError", "/logs/agent.log")
    assert "\n" not in str(error)
    assert (error.program, error.log) == ("agent", "Traceback\nValueError")


def test_all_of_them_end_a_command_in_one_sentence() -> None:
    assert issubclass(StackError, GroundworkError)
