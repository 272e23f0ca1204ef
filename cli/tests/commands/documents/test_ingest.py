from __future__ import annotations

from pathlib import Path

import pytest
from cli.tests.documents_server import DocumentsServer
from cli.tests.server import Serve
from cli.tests.terminal import run


@pytest.fixture
def server(serve: Serve) -> DocumentsServer:
    server = DocumentsServer()
    serve(server)
    return server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    for name in ("a.md", "b.md", "c.unheard-of"):
        (folder / name).write_text(name)
    (folder / "__init__.py").touch()
    return folder


def test_all_that_is_ready_is_counted_and_a_second_time_nothing_changes(server: DocumentsServer, folder: Path) -> None:
    done = run("ingest", str(folder), "-c", "c")
    assert done.exit_code == 0
    assert done.stdout.startswith("2 of 2 documents ready in 'c', ")
    assert "skipped" in done.stderr
    assert "c.unheard-of: its name tells of no document that can be read" in done.stderr
    assert "__init__.py: it is empty" in done.stderr
    assert run("ingest", str(folder), "-c", "c").stdout.startswith("2 of 2 documents ready in 'c' (2 unchanged), ")


def test_a_file_that_fails_is_told_with_its_reason_and_by_the_exit_status(
    server: DocumentsServer, folder: Path
) -> None:
    server.outcome["b.md"] = "failed"
    done = run("ingest", str(folder), "-c", "c")
    assert done.exit_code == 1
    assert done.stdout.startswith("1 of 2 documents ready in 'c' (1 failed), ")
    assert f"failed {folder}/b.md: There is no text. [no_text]" in done.stderr


def test_pages_that_were_not_read_are_told_though_all_is_ready(server: DocumentsServer, folder: Path) -> None:
    server.unread["a.md"] = [2, 5]
    done = run("ingest", str(folder), "-c", "c")
    assert done.exit_code == 0
    assert "a.md: pages 2, 5 are pictures and were not read" in done.stderr
    assert "b.md: pages" not in done.stderr


def test_a_folder_without_documents_is_an_error_and_makes_no_collection(serve: Serve, tmp_path: Path) -> None:
    serve(lambda request: pytest.fail(f"it asked for {request.url}"))
    (tmp_path / ".hidden.md").write_text("x")
    done = run("ingest", str(tmp_path), "-c", "c")
    assert (done.exit_code, done.stderr) == (1, "There is nothing to ingest.\n")
