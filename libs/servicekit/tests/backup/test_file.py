"""A backup is known to be whole or it is not used."""

from __future__ import annotations

import itertools
import json
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from servicekit.backup import file as backup_file
from servicekit.backup.file import (
    FORMAT,
    BackupDamaged,
    BackupFile,
    PartWriter,
    about,
    framed,
    lines,
)

MADE_AT = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)
LONG = "ordner/" + "ü" * 300 + ".jsonl"


def part(service: str, **members: bytes) -> bytes:
    writer = PartWriter(service)
    return b"".join(writer.member(name, content) for name, content in members.items()) + writer.end()


WHOLE = part("words", rows=b"one\ntwo\n", empty=b"") + part("pages", **{LONG: b"\0" * 513})
END = about("1.2.3", MADE_AT, ["words", "pages"])


@pytest.fixture
def backup(tmp_path: Path) -> Callable[[bytes], BackupFile]:
    def written(content: bytes) -> BackupFile:
        path = tmp_path / "backup.tar"
        path.write_bytes(content)
        return BackupFile(path)

    return written


def test_a_whole_backup_tells_what_it_is_and_gives_each_service_its_members(
    backup: Callable[[bytes], BackupFile],
) -> None:
    whole = backup(WHOLE + END)
    told = whole.check()
    assert (told.version, told.made_at, told.services) == ("1.2.3", MADE_AT, ["words", "pages"])
    words = {name: content.read() for name, content in whole.members("words/")}
    assert (words["rows"], words["empty"]) == (b"one\ntwo\n", b"")
    assert {name: len(content.read()) for name, content in whole.members("pages/ordner/")} == {LONG[7:]: 513}


def test_any_tar_reads_it(backup: Callable[[bytes], BackupFile]) -> None:
    with tarfile.open(backup(WHOLE + END).path) as tar:
        assert tar.getnames() == [
            "words/rows",
            "words/empty",
            "words/end.json",
            f"pages/{LONG}",
            "pages/end.json",
            "backup.json",
        ]
        assert {member.mode for member in tar} == {0o600}, "nobody else reads what is unpacked"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "empty file"),
        (b"no tar at all", "truncated header"),
        (WHOLE, "too early"),
        (WHOLE + END[:-1024], None),
        ((WHOLE + END)[:700], "unexpected end"),
        (WHOLE.replace(b"two", b"TWO") + END, "the part of words is not what was written"),
        (WHOLE.replace(b"words/rows", b"words/cows") + END, "checksum|bad|header|not what was written|too early"),
        (part("words", rows=b"one\n") + END, "it lacks the part of pages"),
        (PartWriter("words").member("rows", b"one\n") + about("1", MADE_AT, ["words"]), "it lacks the part of words"),
        (WHOLE + framed("words/more", b"late") + END, "'words/more' stands behind the end of its part"),
        (WHOLE + END[:-1024] + framed("words/more", b"late"), "'words/more' stands behind its end"),
        (WHOLE + END + framed("words/more", b"late"), "something stands behind its end"),
        (WHOLE + END + b"x", "something stands behind its end"),
        (WHOLE + PartWriter("words").end() + END, "'words/end.json' stands behind the end of its part"),
        (WHOLE + framed("backup.json", b"{}"), "backup.json can't be read"),
        (WHOLE + framed("backup.json", END[512:].partition(b"\0")[0].replace(FORMAT.encode(), b"other")), "'other'"),
    ],
)
def test_what_was_cut_off_or_changed_is_said(
    backup: Callable[[bytes], BackupFile], content: bytes, why: str | None
) -> None:
    if why is None:
        backup(content).check()
        return
    with pytest.raises(BackupDamaged, match=why):
        backup(content).check()


def test_a_backup_is_whole_whatever_the_time_is_when_it_is_checked(
    backup: Callable[[bytes], BackupFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup_file, "time", SimpleNamespace(time=itertools.count(1_800_000_000).__next__))
    assert backup(WHOLE + END).check().services == ["words", "pages"]


def test_the_order_of_members_is_vouched_for_too(backup: Callable[[bytes], BackupFile]) -> None:
    sound, other = PartWriter("words"), PartWriter("words")
    first, second = sound.member("a", b"1"), sound.member("b", b"2")
    with pytest.raises(BackupDamaged):
        backup(second + first + sound.end() + about("1", MADE_AT, ["words"])).check()
    backup(other.member("a", b"1") + other.member("b", b"2") + other.end() + about("1", MADE_AT, ["words"])).check()


async def test_a_member_on_disk_is_as_one_in_memory(
    tmp_path: Path, backup: Callable[[bytes], BackupFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup_file, "PIECE", 7)
    source, content = tmp_path / "source", b"words and words" * 9
    source.write_bytes(content)
    writer = PartWriter("words")
    pieces = [piece async for piece in writer.file("rows", source)]
    assert len(pieces) > len(content) // 7
    whole = backup(b"".join(pieces) + writer.end() + about("1", MADE_AT, ["words"]))
    whole.check()
    assert [content_.read() for name, content_ in whole.members("words/") if name == "rows"] == [content]


async def test_a_file_that_becomes_shorter_while_it_is_read_ends_the_backup(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x" * 1000)
    pieces = PartWriter("words").file("rows", source)
    await anext(pieces)
    source.write_bytes(b"x" * 999)
    with pytest.raises(OSError, match="became shorter"):
        [piece async for piece in pieces]


async def test_what_is_added_to_a_file_meanwhile_is_left_out(
    tmp_path: Path, backup: Callable[[bytes], BackupFile]
) -> None:
    source, writer = tmp_path / "source", PartWriter("words")
    source.write_bytes(b"x" * 10)
    pieces = writer.file("rows", source)
    content = await anext(pieces)
    source.write_bytes(b"x" * 5000)
    content += b"".join([piece async for piece in pieces])
    backup(content + writer.end() + about("1", MADE_AT, ["words"])).check()


def test_rows_are_a_line_each_whatever_is_in_them() -> None:
    rows = [{"text": "a\nb\u2028ü", "n": 1}, {"text": None}]
    written = lines(rows)
    assert [json.loads(line) for line in written.splitlines()] == rows
    assert "ü" in written.decode()
    assert lines([]) == b""
