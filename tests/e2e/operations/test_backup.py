"""A collection backed up and put back: the same answers from the same spans, and nothing is embedded for it."""

from __future__ import annotations

import zipfile
from pathlib import Path
from urllib.request import urlopen

import pytest
from tests.e2e.features.test_commands import KNOWN, groundwork
from tests.support.home.stack import RunningHome

from contracts.retrieval.collections import Collection


def _chunks_embedded(home: RunningHome) -> float:
    name = "groundwork_retriever_chunks_indexed_total"
    with urlopen(f"http://127.0.0.1:{home.state.ports['retriever']}/metrics", timeout=60) as reply:
        lines = reply.read().decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f'{name}{{source="embedded"'))


@pytest.fixture(scope="module")
def backup(home: RunningHome, handbook: Collection, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("backup") / "handbook.zip"
    done = groundwork(home, "backup", "handbook", file)
    assert done.returncode == 0, done.stderr
    assert f"{handbook.documents} documents of 'handbook'" in done.stdout
    return file


def test_a_restored_collection_answers_from_the_same_spans_without_embedding_anything(
    home: RunningHome, handbook: Collection, backup: Path
) -> None:
    before = _chunks_embedded(home)
    done = groundwork(home, "restore", backup, "--collection", "restored")
    assert f"{handbook.documents} documents restored, 0 were there, 0 failed" in done.stdout, done.stderr
    assert _chunks_embedded(home) == before
    copy = home.client.collections.get("restored")
    same = {"documents", "chunks", "bytes", "embedding_model", "chunking"}
    assert copy.model_dump(include=same) == handbook.model_dump(include=same)
    question = KNOWN["question"]
    first, second = (home.client.search(name, question, limit=10).hits for name in ("handbook", "restored"))
    assert [(hit.document_id, hit.start, hit.end, hit.text, round(hit.score, 3)) for hit in second] == [
        (hit.document_id, hit.start, hit.end, hit.text, round(hit.score, 3)) for hit in first
    ]
    asked, again = (home.client.ask(name, question) for name in ("handbook", "restored"))
    quotes = [[(note.document_id, note.start, note.quote) for note in each.citations] for each in (asked, again)]
    assert quotes[0]
    assert quotes[0] == quotes[1]


def test_restoring_again_changes_nothing(home: RunningHome, handbook: Collection, backup: Path) -> None:
    done = groundwork(home, "restore", backup)
    assert f"0 documents restored, {handbook.documents} were there, 0 failed" in done.stdout, done.stderr


def test_a_backup_never_replaces_a_file(home: RunningHome, backup: Path) -> None:
    before = backup.read_bytes()
    done = groundwork(home, "backup", "handbook", backup)
    assert done.returncode == 1
    assert "already" in done.stderr
    assert backup.read_bytes() == before


def test_a_damaged_document_fails_alone_and_what_is_no_backup_is_one_sentence(
    home: RunningHome, backup: Path, tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged.zip"
    with zipfile.ZipFile(backup) as old, zipfile.ZipFile(damaged, "w") as new:
        first, second, third = old.namelist()[:3]
        new.writestr(first, old.read(first))
        new.writestr(second, old.read(second)[:-100])
        new.writestr(third, old.read(third))
    done = groundwork(home, "restore", damaged, "-c", "partly-restored")
    assert done.returncode == 1
    assert "1 documents restored, 0 were there, 1 failed" in done.stdout
    assert "archive_damaged" in done.stderr or "can't be restored" in done.stderr
    plain = tmp_path / "plain.zip"
    plain.write_bytes(b"no zip")
    done = groundwork(home, "restore", plain)
    assert done.returncode == 1
    assert "is not a whole backup" in " ".join(done.stderr.split())
