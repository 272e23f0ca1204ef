"""Every process on a database that a newer version migrated: it ends with a sentence, and no traceback."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from groundwork.stack.configuration.environment import Wiring, own_redis_url, process_environment
from groundwork.stack.configuration.overrides import Overrides
from groundwork.stack.home.folder import Home
from groundwork.stack.home.ports import choose
from groundwork.stack.supervision.programs import SERVICES, Program


@pytest.mark.parametrize("program", SERVICES, ids=lambda program: program.name)
async def test_data_of_a_newer_version_end_a_process_with_one_sentence(program: Program, tmp_path: Path) -> None:
    home = Home.at(tmp_path / "home")
    home.create()
    service = "ingest" if program.name == "worker" else program.name
    home.data(service).mkdir(parents=True)
    with closing(sqlite3.connect(home.data(service) / f"{service}.sqlite")) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32), migrated_by VARCHAR(32))")
        connection.execute("INSERT INTO alembic_version VALUES ('9999', '7.1.0')")
        connection.commit()
    ports = choose(0, {})
    wiring = Wiring(home, ports, own_redis_url(home, ports["valkey"]), "run")
    ended = await asyncio.to_thread(
        subprocess.run,
        program.command,
        env=process_environment(program.name, wiring, Overrides.read(home, {"PATH": str(Path(sys.executable).parent)})),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    said = ended.stdout + ended.stderr
    assert ended.returncode not in (0, None)
    assert "Traceback" not in said
    sentences = [json.loads(line)["event"] for line in said.splitlines() if "7.1.0" in line]
    assert len(sentences) == 1
    assert sentences[0].startswith(f"The data of {service} need Groundwork 7.1.0 or newer, and this is ")
    assert ": install 7.1.0, or restore the backup" in sentences[0]
