from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cli.tests.documents_server import DocumentsServer
from cli.tests.server import client_of, document, error

from groundwork.client import ApiError
from groundwork.client.transfers import snapshots
from groundwork.client.transfers.folder_watch import FolderWatch, Happening


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    here = tmp_path / "docs"
    for name, text in (
        ("a.md", "# A"),
        ("sub/b.txt", "B"),
        ("sub/deeper/c.md", "C"),
        (".git/d.md", "D"),
        ("e.bin", ""),
    ):
        file = here / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return here


@pytest.fixture
def server() -> DocumentsServer:
    return DocumentsServer()


class Watched:
    """A watch whose looks the test makes."""

    def __init__(self, watch: FolderWatch, said: list[Happening]) -> None:
        self.watch, self.said = watch, said

    def looks(self, count: int = 2) -> list[tuple[str, str]]:
        """What happened in as many looks."""
        self.said.clear()
        for _ in range(count):
            self.watch.look()
        return sorted((it.what, it.path) for it in self.said)


@contextmanager
def watching(server: DocumentsServer, folder: Path, name: str | None = None) -> Iterator[Watched]:
    said: list[Happening] = []
    with (
        client_of(server) as client,
        FolderWatch(client, "c", folder, name=name, happened=said.append) as watch,
    ):
        watch.start()
        yield Watched(watch, said)


def paths(server: DocumentsServer) -> list[str]:
    return sorted(each["metadata"]["path"] for each in server.documents.values())


ALL = ["a.md", "sub/b.txt", "sub/deeper/c.md"]


def test_what_is_in_the_folder_becomes_documents_and_each_is_told_once(server: DocumentsServer, folder: Path) -> None:
    with watching(server, folder) as watched:
        assert watched.looks(1) == []  # what has been seen once may still be being written
        assert watched.looks(3) == [(what, path) for what in ("new", "ready") for path in ALL]
        assert watched.looks(3) == []
    assert paths(server) == ALL
    assert {each["metadata"]["watch"] for each in server.documents.values()} == {watched.watch.id}
    assert all(len(key) <= 200 for key in server.documents)


def test_a_changed_file_is_a_new_revision_and_a_touched_one_is_not(server: DocumentsServer, folder: Path) -> None:
    with watching(server, folder) as watched:
        watched.looks()
        (folder / "a.md").write_text("# Other")
        os.utime(folder / "sub/b.txt", (1, 1))
        assert watched.looks(3) == [("changed", "a.md"), ("ready", "a.md")]
        key = watched.watch.document_id("a.md")
    assert (server.documents[key]["revision"], server.contents[key]) == (2, b"# Other")
    assert len(server.uploads) == 4


def test_a_file_that_is_being_written_is_left_alone_until_it_rests(server: DocumentsServer, folder: Path) -> None:
    with watching(server, folder) as watched:
        watched.looks()
        for length in range(1, 5):
            (folder / "slow.md").write_text("x" * length)
            assert watched.looks(1) == []
        assert watched.looks(1) == [("new", "slow.md"), ("ready", "slow.md")]
    assert server.contents[watched.watch.document_id("slow.md")] == b"xxxx"


def test_a_vanished_files_document_is_deleted_and_a_replaced_one_is_not(server: DocumentsServer, folder: Path) -> None:
    with watching(server, folder) as watched:
        watched.looks()
        (folder / "sub/b.txt").unlink()
        assert watched.looks(1) == []  # an editor may be about to put it back
        (folder / "sub/b.txt").write_text("B")
        assert watched.looks(3) == []
        shutil.rmtree(folder / "sub/deeper")
        assert watched.looks(3) == [("deleted", "sub/deeper/c.md")]
    assert paths(server) == ["a.md", "sub/b.txt"]


def test_a_moved_files_document_is_there_before_the_old_one_goes(server: DocumentsServer, folder: Path) -> None:
    with watching(server, folder) as watched:
        watched.looks()
        (folder / "a.md").rename(folder / "z.md")
        watched.said.clear()
        for _ in range(3):
            watched.watch.look()
        assert [it.what for it in watched.said] == ["new", "deleted", "ready"]
    assert paths(server) == ["sub/b.txt", "sub/deeper/c.md", "z.md"]


def test_a_new_watch_goes_on_where_the_last_one_stopped(server: DocumentsServer, folder: Path) -> None:
    with watching(server, folder) as watched:
        watched.looks()
    (folder / "a.md").write_text("# Other")
    (folder / "new.md").write_text("new")
    (folder / "sub/b.txt").unlink()
    server.uploads.clear()
    with watching(server, folder) as watched:
        happened = watched.looks(3)
    assert [each for each in happened if each[0] != "ready"] == [
        ("changed", "a.md"),
        ("deleted", "sub/b.txt"),
        ("new", "new.md"),
    ]
    assert sorted(server.uploads) == ["a.md", "new.md"]
    assert paths(server) == ["a.md", "new.md", "sub/deeper/c.md"]


def test_a_failed_document_is_tried_again_by_a_new_watch_only(server: DocumentsServer, folder: Path) -> None:
    server.outcome["a.md"] = "failed"
    with watching(server, folder) as watched:
        assert ("failed", "a.md") in watched.looks()
        assert watched.looks() == []
    del server.outcome["a.md"]
    with watching(server, folder) as watched:
        assert watched.looks() == [("changed", "a.md"), ("ready", "a.md")]


def test_a_new_watch_tells_again_what_the_server_knows_to_be_unreadable(server: DocumentsServer, folder: Path) -> None:
    server.outcome["a.md"], server.unreadable = "failed", True
    with watching(server, folder) as watched:
        watched.looks()
    with watching(server, folder) as watched:
        assert watched.looks() == [("failed", "a.md")]
        assert [happening.detail for happening in watched.said] == ["There is no text. [no_text]"]
        assert watched.looks() == []


def test_only_the_folders_own_documents_are_touched(server: DocumentsServer, folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "x.md").write_text("X")
    server.documents["mine"] = document("ready", id="mine", metadata={"path": "gone.md"})
    with watching(server, other) as watched:
        watched.looks()
        prefix = watched.watch.id
    server.documents[f"{prefix}-by-hand"] = document("ready", id=f"{prefix}-by-hand", metadata={"watch": "another"})
    with watching(server, folder) as watched:
        watched.looks()
        (folder / "a.md").unlink()
        watched.looks()
    assert {"mine", f"{prefix}-by-hand"} <= set(server.documents)
    assert len(server.documents) == 5


def test_a_name_keeps_a_folder_the_same_wherever_it_lies(server: DocumentsServer, folder: Path) -> None:
    with watching(server, folder, "handbook") as watched:
        watched.looks()
    moved = folder.rename(folder.parent / "moved")
    server.uploads.clear()
    with watching(server, moved, "handbook") as watched:
        assert watched.looks(3) == []
    assert server.uploads == []


def test_an_empty_or_missing_folder_deletes_nothing(server: DocumentsServer, folder: Path) -> None:
    with watching(server, folder) as watched:
        watched.looks()
        away = folder.rename(folder.parent / "unmounted")
        assert watched.looks(4) == [("kept", ".")]
        folder.mkdir()
        assert watched.looks(4) == []
        folder.rmdir()
        away.rename(folder)
        assert watched.looks(3) == []
    assert paths(server) == ALL


def test_what_cannot_be_listed_is_unknown_not_gone(server: DocumentsServer, folder: Path) -> None:
    with watching(server, folder) as watched:
        watched.looks()
        seen = snapshots.take(folder)
        partial = snapshots.Snapshot({"a.md": seen.files["a.md"]}, frozenset({"sub"}))
        for _ in range(3):
            watched.watch.look(partial)
    assert paths(server) == ALL


def test_one_files_failure_harms_no_other_and_is_not_repeated(server: DocumentsServer, folder: Path) -> None:
    server.refuse["a.md"] = error(415, "unsupported_media_type", "This can't be read.")
    with watching(server, folder) as watched:
        assert [each for each in watched.looks(3) if each[0] != "ready"] == [
            ("failed", "a.md"),
            ("new", "sub/b.txt"),
            ("new", "sub/deeper/c.md"),
        ]
        assert server.uploads.count("a.md") == 1
        server.refuse.clear()
        (folder / "a.md").write_text("# Better")
        assert watched.looks(3) == [("new", "a.md"), ("ready", "a.md")]


def test_a_busy_or_absent_server_is_waited_for(server: DocumentsServer, folder: Path) -> None:
    server.refuse["a.md"] = error(429, "rate_limited", **{"Retry-After": "7"})
    with watching(server, folder) as watched:
        assert ("waiting", "a.md") in watched.looks(4)
        assert watched.said.count(Happening("waiting", "a.md", "It went wrong.")) == 1
        assert watched.watch._pause == 7
        server.refuse.clear()
        server.away = True
        assert [what for what, _ in watched.looks(3)] == ["waiting"]
        server.away = False
        assert watched.looks(3) == [("new", "a.md"), ("ready", "a.md")]


def test_a_key_that_may_not_do_this_ends_the_watch(server: DocumentsServer, folder: Path) -> None:
    server.refuse = dict.fromkeys(("a.md", "b.txt", "c.md"), error(401, "invalid_key"))
    with watching(server, folder) as watched, pytest.raises(ApiError, match="It went wrong"):
        watched.looks()


def test_a_watch_ends_when_its_wait_says_so_though_the_signal_raised_nothing(
    server: DocumentsServer, folder: Path
) -> None:
    waits: list[float] = []

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        return len(waits) == 2

    with watching(server, folder) as watched:
        watched.watch.run(0.0, wait)
    assert (len(waits), paths(server)) == (2, ALL)
