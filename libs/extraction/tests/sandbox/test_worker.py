from __future__ import annotations

import errno
import json
import zipfile
from pathlib import Path

import pytest

from extraction.containers import archive
from extraction.formats.catalog import ZIP
from extraction.sandbox import extract_task as task
from extraction.sandbox import worker
from extraction.sandbox.worker import NOT_NOW


@pytest.mark.parametrize(("number", "status", "code"), [(errno.ENOSPC, NOT_NOW, None), (errno.EFBIG, 0, "too_large")])
@pytest.mark.parametrize("where", ["parts", "member"])
def test_a_full_disk_is_no_documents_fault_and_a_full_limit_is_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, status: int, code: str | None, where: str
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(number, "full")

    monkeypatch.setattr(worker, "_bound", lambda *_: None)
    monkeypatch.setattr(worker.gc, "set_threshold", lambda *_: None)
    monkeypatch.setattr(*(task, "parts", full) if where == "parts" else (archive, "read_member", full))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as made:
        made.writestr("a.txt", "words")
    bounds = {"task": task.__name__, "memory_bytes": 1, "seconds": 1, "file_bytes": 1}
    options = {**bounds, "media_type": ZIP, "max_pages": 9, "max_text_chars": 99, "resume": {}}
    (tmp_path / "options.json").write_text(json.dumps(options))
    assert worker.main(str(tmp_path / "a.zip"), str(tmp_path)) == status
    failure = tmp_path / "failure.json"
    assert (json.loads(failure.read_text())["code"] if failure.exists() else None) == code
