from __future__ import annotations

from pathlib import Path

import pytest
from cli.tests.installation import NOTHING

from groundwork.stack import lifecycle
from groundwork.stack.home.errors import NoRoom
from groundwork.stack.home.folder import Home


def test_a_start_on_a_disk_that_is_too_small_says_how_much_room_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "NEW_HOME_BYTES", 2**62)
    with pytest.raises(NoRoom, match="MB free, and a start needs 46116860184"):
        lifecycle.up(Home.at(tmp_path / "home"), port=0, overrides=NOTHING)
    assert not (tmp_path / "home").exists()
