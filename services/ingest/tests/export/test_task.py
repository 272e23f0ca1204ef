from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from services.ingest.tests.export.manifests import new_manifest

from extraction.model.failures import ParseFailed
from ingest.export import task
from ingest.export.archive import ArchivedPart
from ingest.export.task import run

ORIGINAL = b"The original."
OPTIONS: dict[str, Any] = {
    "model": "model",
    "max_archive_bytes": 1 << 20,
    "max_text_chars": 1000,
    "max_header_chars": 1000,
}
FACTS: dict[str, Any] = {
    "title": None,
    "pages": None,
    "last_page": None,
    "done": 1.0,
    "state": {},
    "paths": [],
    "blocks": [],
}
PLAN = {"headers": [""], "paths": [[]], "chunks": [[0, 1, None, 0, 0], [1, 2, None, 0, 0]]}


def archive(folder: Path, *texts: str, embeddings: list[str] | None = None) -> Path:
    """One of a part a text, each of two chunks."""
    start = 0
    parts = []
    for number, text in enumerate(texts):
        done = (number + 1) / len(texts)
        parts.append(ArchivedPart(start=start, chars=len(text), first_chunk=2 * number, chunks=2, done=done))
        start += len(text) + 2
    manifest = new_manifest(ORIGINAL, parts)
    with zipfile.ZipFile(folder / "archive.zip", "w") as members:
        members.writestr("document.json", manifest.model_dump_json())
        members.writestr("original", ORIGINAL)
        for number, text in enumerate(texts):
            structure = {**FACTS, "done": parts[number].done}
            members.writestr(f"parts/{number:04}.text", text)
            members.writestr(f"parts/{number:04}.json", json.dumps({"structure": structure, "plan": PLAN}))
        if embeddings is not None:
            members.writestr("embeddings", "\n".join(embeddings))
    return folder / "archive.zip"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "unpacked"
    made.mkdir()
    return made


def test_an_archive_becomes_files_and_a_line_vouches_for_each_part(tmp_path: Path, folder: Path) -> None:
    lines = list(run(archive(tmp_path, "ab", "çd", embeddings=["e0", "e1", "e2", "e3"]), folder, OPTIONS))
    assert (folder / "original").read_bytes() == ORIGINAL
    assert json.loads((folder / "document.json").read_text())["id"] == "d"
    for number, (line, text) in enumerate(zip(lines, ("ab", "çd"), strict=True)):
        files = [folder / f"{number}.{kind}" for kind in ("text", "json")]
        assert line.split() == [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
        assert files[0].read_text() == text
        plan = json.loads(files[1].read_text())["plan"]
        assert plan == {**PLAN, "embeddings": [f"e{2 * number}", f"e{2 * number + 1}"]}


def test_document_and_original_are_there_before_the_first_part(tmp_path: Path, folder: Path) -> None:
    lines = run(archive(tmp_path, "ab"), folder, OPTIONS)
    next(lines)
    assert {path.name for path in folder.iterdir()} == {"document.json", "original", "0.text", "0.json"}


def test_what_was_cut_for_another_model_is_left_out(tmp_path: Path, folder: Path) -> None:
    assert list(run(archive(tmp_path, "ab"), folder, OPTIONS | {"model": "other"})) == []
    assert {path.name for path in folder.iterdir()} == {"document.json", "original"}


def test_without_embeddings_a_plan_stays_as_it_is(tmp_path: Path, folder: Path) -> None:
    list(run(archive(tmp_path, "ab"), folder, OPTIONS))
    assert json.loads((folder / "0.json").read_text())["plan"] == PLAN


def test_embeddings_that_are_too_large_together_are_left_out_whole(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = archive(tmp_path, "ab", "cd", embeddings=["e" * 40, "e" * 40, "s", "s"])
    monkeypatch.setattr(task, "MAX_EMBEDDED_BYTES", 60)
    lines = list(run(source, folder, OPTIONS))
    plans = [json.loads((folder / f"{number}.json").read_text())["plan"] for number in range(2)]
    assert plans == [PLAN, {**PLAN, "embeddings": ["s", "s"]}]
    assert lines[0].split()[1] == hashlib.sha256((folder / "0.json").read_bytes()).hexdigest()


def test_an_archive_with_more_text_than_a_document_may_have_is_refused(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(ParseFailed):
        list(run(archive(tmp_path, "ab", "cd"), folder, OPTIONS | {"max_text_chars": 2}))
