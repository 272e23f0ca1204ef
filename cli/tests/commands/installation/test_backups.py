from __future__ import annotations

import io
import tarfile
from pathlib import Path

import httpx2
import pytest
from cli.tests.server import Handler, Serve, by_path, collection, document, error, page
from cli.tests.terminal import run, sentence


def server(**more: httpx2.Response) -> Handler:
    """A server with two documents, of which one is not ready."""
    documents = page(document("ready"), document("processing", id="doc-2"))
    archive = httpx2.Response(200, content=b"archive")
    there = {"/collections/c": httpx2.Response(200, json=collection()), "/documents": documents, "/backup": archive}
    return by_path(**there, **more)


@pytest.mark.parametrize("arguments", [("c",), ("--everything", "c", "file")], ids=["no file", "both"])
def test_one_collection_or_everything_is_backed_up(arguments: tuple[str, ...]) -> None:
    assert "Say either" in sentence("backup", *arguments)


def test_a_collection_is_backed_up_with_what_is_not_ready_and_goes_back(serve: Serve, tmp_path: Path) -> None:
    file = str(tmp_path / "c.zip")
    serve(server())
    done = run("backup", "c", file)
    assert done.exit_code == 0, done.output
    assert done.stdout == f"2 documents of 'c' in {file}, 0.0 MB\n"
    assert done.stderr.lstrip() == "doc-2 was not ready: what was there of it is kept\n"
    serve(server(**{":restore": httpx2.Response(200, json={"document": document("ready"), "unchanged": True})}))
    assert run("restore", file).stdout == "0 documents restored, 2 were there, 0 failed\n"


def test_a_document_that_is_there_with_other_bytes_stays_and_is_told(serve: Serve, tmp_path: Path) -> None:
    file = str(tmp_path / "c.zip")
    serve(server())
    run("backup", "c", file)
    serve(server(**{":restore": error(409, "document_differs", "It has other bytes.")}))
    done = run("restore", file)
    assert done.exit_code == 1
    assert done.stderr.lstrip() == "failed doc-1: It has other bytes.\nfailed doc-2: It has other bytes.\n"
    assert done.stdout == "0 documents restored, 0 were there, 2 failed\n"


@pytest.mark.parametrize("everything", [True, False])
def test_a_backup_never_replaces_a_file(serve: Serve, tmp_path: Path, everything: bool) -> None:
    serve(server())
    file = tmp_path / "mine"
    file.write_text("precious")
    said = sentence("backup", *(["--everything", str(file)] if everything else ["c", str(file)]))
    assert str(file) in said
    assert file.read_text() == "precious"


def test_a_file_that_can_not_be_written_or_read_is_named(serve: Serve, tmp_path: Path) -> None:
    serve(server())
    file = str(tmp_path / "nowhere" / "c.zip")
    assert f"'{file}' can't be written: No such file or directory." in sentence("backup", "c", file)
    assert f"'{file}' can't be read: No such file or directory." in sentence("restore", file)
    (tmp_path / "text.zip").write_text("no backup")
    assert "is not a whole backup" in sentence("restore", str(tmp_path / "text.zip"))


def test_a_damaged_backup_of_everything_makes_no_home(tmp_path: Path) -> None:
    file = tmp_path / "everything.tar"
    with tarfile.open(file, "w") as tar:
        tar.addfile(tarfile.TarInfo("gateway/keys.jsonl"), io.BytesIO())
    assert "is not a whole backup: it ends too early" in sentence("restore", str(file))
    assert not (tmp_path / "home").exists()
