"""A home with its bytes on S3: the same answers, backups across both kinds of store, and nothing left of a tenant."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.operations.test_home import SCRIPTED, groundwork
from tests.support.home.stack import RunningHome, running_home
from tests.support.ingest.s3_server import S3Server, running_s3

from groundwork.client import Groundwork
from groundwork.stack.home.folder import Home

TEXTS = {"light": "The lighthouse at the cape blinks every nine seconds.\n" * 40, "tide": "The tide turns at noon.\n"}
SETTINGS = {**SCRIPTED, "INGEST_TENANT_DELETION_SECONDS": "1"}
SECONDS = 300.0


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with running_s3(tmp_path_factory.mktemp("s3")) as server:
        yield server


def _add(client: Groundwork, collection: str) -> None:
    client.collections.ensure(collection)
    for name, text in TEXTS.items():
        job = client.documents.add_text(collection, text, document_id=name).job
        assert job is not None
        client.jobs.wait(job.id, timeout=SECONDS)


def _said(client: Groundwork) -> dict[str, object]:
    hits = client.search("sea", "When does the tide turn?", limit=3).hits
    texts = {name: client.documents.text("sea", name) for name in TEXTS}
    return {"texts": texts, "hits": [(hit.document_id, hit.start, hit.end, hit.text) for hit in hits]}


def _restored(folder: Path, file: Path, settings: dict[str, str]) -> Home:
    home = Home.at(folder)
    home.create()
    home.settings_file.write_text("".join(f"{name}={text}\n" for name, text in settings.items()))
    done = groundwork(home, "restore", str(file))
    assert done.returncode == 0, done.stderr
    return home


def _bytes(s3: S3Server, tenant: str = "") -> list[str]:
    return [name for name in s3.names() if f"gw/{tenant}" in name and not name.endswith(".probe")]


def test_a_home_moves_to_s3_and_back_and_a_deleted_tenant_leaves_nothing_there(s3: S3Server, tmp_path: Path) -> None:
    with running_home(tmp_path / "first", SETTINGS) as first:
        _add(first.client, "sea")
        said = _said(first.client)
        _back_up(first, tmp_path / "folder.tar")
    there = _restored(tmp_path / "second", tmp_path / "folder.tar", s3.settings())
    before = _bytes(s3)
    assert len(before) >= 2 * len(TEXTS)
    with running_home(there.root, SETTINGS) as second:
        assert _said(second.client) == said
        assert not (there.data("ingest") / "blobs").exists()
        made = second.client.keys.create("x", tenant="quokka", scopes=("chat", "documents", "search"))
        with Groundwork(second.base_url, made.secret) as theirs:
            _add(theirs, "theirs")
        assert _bytes(s3, "quokka/")
        second.client.jobs.wait(second.client.tenants.delete("quokka").id, timeout=SECONDS)
        assert _bytes(s3, "quokka/") == []
        assert _bytes(s3) == before, "nobody else lost anything"
        _back_up(second, tmp_path / "s3.tar")
        second.client.collections.delete("sea")
        assert _bytes(s3) == []
    back = _restored(tmp_path / "third", tmp_path / "s3.tar", {})
    with running_home(back.root, SETTINGS) as third:
        assert _said(third.client) == said


def _back_up(home: RunningHome, file: Path) -> None:
    done = groundwork(home.home, "backup", "--everything", str(file))
    assert done.returncode == 0, done.stderr
