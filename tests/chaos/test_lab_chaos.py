"""Labs are killed while questions are saved: no version that was acknowledged is lost, and none is half there."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest
from pydantic import SecretStr
from tests.support.home.postgres import postgres_installed, temporary_postgres

from lab.bootstrap import open_dependencies
from lab.questions.repository import Viewer
from lab.settings import LabSettings

KILLS, SEED = (int(os.environ.get(name, few)) for name, few in (("KILLS", "8"), ("SEED", "1")))
DATABASES = ["sqlite", *(["postgresql"] if postgres_installed() else [])]
ACME = Viewer("acme", "key_1")
SAVER = """
import asyncio, sys
from pathlib import Path
from pydantic import SecretStr
from contracts.improvement.question_sets import QuestionSetCreate
from lab.bootstrap import open_dependencies
from lab.questions.repository import Viewer
from lab.settings import LabSettings

async def main(url, folder, life):
    settings = LabSettings(data_dir=Path(folder), database_url=SecretStr(url) if url else None)
    async with open_dependencies(settings) as opened:
        for number in range(10_000):
            items = [{"question": f"Life {life}, number {number}, part {part}?"} for part in range(20)]
            body = QuestionSetCreate.model_validate({"name": "policies", "items": items, "append": number % 5 > 0})
            saved, _ = await opened.question_sets.save(Viewer("acme", "key_1"), body)
            print(saved.version, saved.questions, saved.digest, flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


@contextmanager
def _place(database: str, folder: Path) -> Iterator[LabSettings]:
    with temporary_postgres() if database == "postgresql" else nullcontext("") as url:
        yield LabSettings(data_dir=folder, database_url=SecretStr(url) if url else None)


def _killed(settings: LabSettings, life: int, after: int) -> list[tuple[int, int, str]]:
    """What a process acknowledged until it was killed."""
    url = settings.database_url.get_secret_value() if settings.database_url else ""
    command = [sys.executable, "-c", SAVER, url, str(settings.data_dir), str(life)]
    told = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            version, questions, digest = line.split()
            told.append((int(version), int(questions), digest))
            if len(told) == after:
                process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    return told


@pytest.mark.parametrize("database", DATABASES)
async def test_what_was_acknowledged_is_there_and_whole_after_kills(database: str, tmp_path: Path) -> None:
    chance = random.Random(SEED)
    with _place(database, tmp_path) as settings:
        told = [one for life in range(KILLS) for one in _killed(settings, life, chance.randint(1, 12))]
        async with open_dependencies(settings) as opened:
            sets = opened.question_sets
            newest = (await sets.get(ACME, "policies")).newest
            assert newest >= len(told)
            known = {version: (questions, digest) for version, questions, digest in told}
            for number in range(1, newest + 1):
                version = await sets.get(ACME, "policies", number)
                items, cursor = 0, None
                while True:
                    page = await sets.list_questions(ACME, "policies", number, None, 200, cursor)
                    items, cursor = items + len(page.data), page.next_cursor
                    if cursor is None:
                        break
                assert items == version.questions, "a version has all of its questions"
                assert known.get(number, (items, version.digest)) == (items, version.digest)
            assert set(known) <= set(range(1, newest + 1))
