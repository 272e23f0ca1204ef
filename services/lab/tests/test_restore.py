from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.improvement.question_sets import QuestionSetCreate
from lab.bootstrap import open_dependencies
from lab.dependencies import Dependencies
from lab.questions.repository import Viewer
from lab.restore import restore
from lab.settings import LabSettings
from servicekit.backup.file import BackupFile, about
from servicekit.backup.tables import NotEmpty, open_part

ACME = Viewer("acme", "key_1")
BODY = QuestionSetCreate.model_validate({"name": "policies", "items": [{"question": "Wie viele Tage? 🙂"}]})


async def _backup(opened: Dependencies, folder: Path, *services: str) -> BackupFile:
    backup = BackupFile(folder / "backup.tar")
    async with open_part(opened.database, "lab") as pieces:
        content = b"".join([piece async for piece in pieces]) if services else b""
    backup.path.write_bytes(content + about("1", datetime.now(UTC), services))
    backup.check()
    return backup


async def test_sets_are_there_again_where_a_backup_is_restored(opened: Dependencies, tmp_path: Path) -> None:
    saved, _ = await opened.question_sets.save(ACME, BODY)
    backup = await _backup(opened, tmp_path, "lab")
    new = LabSettings(data_dir=tmp_path / "new")
    await restore(new, backup)
    async with open_dependencies(new) as restored:
        assert await restored.question_sets.get(ACME, "policies") == saved
    with pytest.raises(NotEmpty):
        await restore(new, backup)


async def test_a_backup_of_before_there_was_a_lab_restores_into_an_empty_one(
    opened: Dependencies, tmp_path: Path
) -> None:
    backup = await _backup(opened, tmp_path)
    new = LabSettings(data_dir=tmp_path / "new")
    await restore(new, backup)
    async with open_dependencies(new) as restored:
        assert (await restored.question_sets.list_sets(ACME, 10, None)).data == []
