from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
import torch

from lab.training import state
from lab.training.state import State, load, save


def test_a_state_is_there_again(tmp_path: Path) -> None:
    assert load(tmp_path) is None
    save(tmp_path, State(3, 40, {"q": 1.5}, 2.0, 0.5), {"learnt": [torch.ones(2)]})
    found = load(tmp_path)
    assert found is not None
    assert found[0] == State(3, 40, {"q": 1.5}, 2.0, 0.5)
    assert found[1]["learnt"][0].tolist() == [1.0, 1.0]


def test_a_full_disk_leaves_the_state_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path, State(1), {})

    def full(what: object, file: Any) -> None:
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(state.torch, "save", full)
    with pytest.raises(OSError, match="No space left"):
        save(tmp_path, State(2), {})
    found = load(tmp_path)
    assert found is not None
    assert found[0].step == 1
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]
