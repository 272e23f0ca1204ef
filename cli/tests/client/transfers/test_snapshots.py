from __future__ import annotations

import os
from pathlib import Path

import pytest

from groundwork.client.transfers.snapshots import Snapshot, mark_of, take


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def test_documents_at_any_depth_are_seen_and_what_is_hidden_made_or_unread_is_not(tmp_path: Path) -> None:
    write(tmp_path, "b.md", "sub/a.txt", "Grüße 🙂.md")
    write(tmp_path, ".a.md", ".git/b.md", "node_modules/c.md", "sub/__pycache__/d.md", "e.unheard-of")
    (tmp_path / "empty.py").touch()
    assert sorted(take(tmp_path).files) == ["Grüße 🙂.md", "b.md", "sub/a.txt"]


def test_links_are_files_but_never_folders(tmp_path: Path) -> None:
    """A folder that holds a link to itself would have no end."""
    write(tmp_path / "elsewhere", "a.md")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "loop").symlink_to(folder)
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    (folder / "file.md").symlink_to(tmp_path / "elsewhere" / "a.md")
    (folder / "broken.md").symlink_to(tmp_path / "nowhere.md")
    assert list(take(folder).files) == ["file.md"]


def test_what_is_no_regular_file_has_no_mark(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.md")
    (tmp_path / "folder.md").mkdir()
    assert take(tmp_path) == Snapshot()
    assert mark_of(tmp_path / "nowhere.md") is None


def test_a_file_that_was_put_in_anothers_place_has_another_mark_though_size_and_time_are_the_same(
    tmp_path: Path,
) -> None:
    file, other = tmp_path / "a.md", tmp_path / "b.md"
    file.write_text("old")
    other.write_text("new")
    for each in (file, other):
        os.utime(each, ns=(7, 7))
    before = mark_of(file)
    assert mark_of(file) == before
    other.replace(file)
    after = mark_of(file)
    assert before is not None
    assert after is not None
    assert (after.size, after.modified_ns) == (before.size, before.modified_ns)
    assert after != before


def test_a_folder_that_is_away_has_no_files_and_leaves_all_unknown(tmp_path: Path) -> None:
    seen = take(tmp_path / "unmounted")
    assert seen.files == {}
    assert seen.unknown("a.md")
    assert seen.unknown("sub/b.md")


@pytest.mark.parametrize(
    ("path", "unknown"),
    [("sub/a.md", True), ("sub/deeper/a.md", True), ("subway/a.md", False), ("a.md", False), ("sub", False)],
)
def test_only_what_lies_below_an_unreadable_folder_is_unknown(path: str, unknown: bool) -> None:
    assert Snapshot({}, frozenset({"sub"})).unknown(path) is unknown
