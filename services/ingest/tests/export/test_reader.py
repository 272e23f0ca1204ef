"""Archives that are made to fill the memory of the process that answers everybody."""

from __future__ import annotations

import asyncio
import json
import tempfile
import tracemalloc
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, closing, contextmanager
from pathlib import Path
from typing import IO, Any

import pytest
from services.ingest.tests.export.manifests import new_manifest

from ingest.export.archive import ArchivedPart
from ingest.export.errors import ArchiveDamaged, ArchiveTooLarge, RestoresBusy
from ingest.export.reader import PLACES, SHARE, ArchiveLimits, ArchiveReader

MEBIBYTE = 1 << 20
LIMITS = ArchiveLimits(archive_bytes=1 << 30, text_chars=10_000_000, memory_bytes=512 * MEBIBYTE, seconds=120)
ORIGINAL = b"A short original."


@contextmanager
def _this_process_takes_at_most(most: int) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < most


@contextmanager
def _archive(text: str, chunks: int, plan: dict[str, Any] | bytes, at_end: bytes = b"") -> Iterator[IO[bytes]]:
    """An archive of one part."""
    manifest = new_manifest(ORIGINAL, [ArchivedPart(start=0, chars=len(text), first_chunk=0, chunks=chunks, done=1)])
    facts: dict[str, Any] = {"title": None, "pages": None, "last_page": None, "done": 1.0, "state": {}}
    structure = json.dumps(facts | {"paths": [], "blocks": []}).encode()
    told = plan if isinstance(plan, bytes) else json.dumps(plan).encode()
    with tempfile.TemporaryFile() as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.writestr("document.json", manifest.model_dump_json())
            archive.writestr("original", ORIGINAL)
            archive.writestr("parts/0000.text", text)
            archive.writestr("parts/0000.json", b'{"structure":' + structure + b',"plan":' + told + at_end + b"}")
        file.flush()
        yield file


def _plan(chunks: int) -> dict[str, Any]:
    return {"headers": [""], "paths": [[]], "chunks": [[at, at + 1, None, 0, 0] for at in range(chunks)]}


def _left_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def _unpacked(archives: ArchiveReader, file: IO[bytes], tenant: str = "acme") -> list[tuple[str, str]]:
    async with archives.archive(tenant, file, "model") as archive:
        return archive.digests


async def test_a_plan_has_no_more_in_it_than_its_chunks_can(tmp_path: Path) -> None:
    many = b",".join([b'"ab"'] * 2_000_000)
    bomb = b'{"headers":[' + many + b'],"paths":[[]],"chunks":[[0,2,null,0,0]]}'
    with (
        closing(ArchiveReader(LIMITS, tmp_path)) as archives,
        _archive("ab ", 1, bomb) as file,
        _this_process_takes_at_most(MEBIBYTE),
        pytest.raises(ArchiveDamaged, match="can't be restored"),
    ):
        await _unpacked(archives, file)


@pytest.mark.parametrize(
    ("header", "path", "fits"),
    [
        ("h" * 100, ["x" * 200] * 8, True),
        ("h" * 101, [], False),
        ("", ["x" * 201], False),
        ("", ["x"] * 9, False),
    ],
)
async def test_what_a_plan_has_once_and_the_index_with_every_chunk_is_no_longer_than_reading_makes_it(
    tmp_path: Path, header: str, path: list[str], fits: bool
) -> None:
    plan = {"headers": [header], "paths": [path], "chunks": [[0, 2, None, 0, 0]]}
    with closing(ArchiveReader(LIMITS, tmp_path)) as archives, _archive("ab ", 1, plan) as file:
        if fits:
            async with archives.archive("acme", file, "model", most_header=100) as archive:
                assert len(archive.digests) == 1
        else:
            with pytest.raises(ArchiveDamaged):
                async with archives.archive("acme", file, "model", most_header=100):
                    pass


async def test_an_archive_has_no_more_text_than_a_document_may(tmp_path: Path) -> None:
    text = "ab " * (LIMITS.text_chars // 3 + 1)
    with (
        closing(ArchiveReader(LIMITS, tmp_path)) as archives,
        _archive(text, 1, _plan(1)) as file,
        _this_process_takes_at_most(MEBIBYTE),
        pytest.raises(ArchiveTooLarge, match="INGEST_MAX_TEXT_CHARS"),
    ):
        await _unpacked(archives, file)


async def test_what_fills_the_memory_ends_its_child_alone_and_the_next_archive_is_taken_apart(tmp_path: Path) -> None:
    small = ArchiveLimits(LIMITS.archive_bytes, LIMITS.text_chars, 160 * MEBIBYTE, LIMITS.seconds)
    with closing(ArchiveReader(small, tmp_path)) as archives:
        with (
            _archive("x" * 1_000_000, 1_000_000, _plan(1_000_000)) as file,
            _this_process_takes_at_most(MEBIBYTE),
            pytest.raises(ArchiveTooLarge, match="INGEST_RESTORE_MEMORY_BYTES"),
        ):
            await _unpacked(archives, file)
        with _archive("xyz", 3, _plan(3)) as file:
            assert len(await _unpacked(archives, file)) == 1
    assert _left_in(tmp_path) == []


async def test_a_plan_is_kept_as_it_was_written_whatever_else_is_beside_it(tmp_path: Path) -> None:
    with closing(ArchiveReader(LIMITS, tmp_path)) as archives:
        with _archive("xyz", 3, _plan(3)) as file:
            as_written = await _unpacked(archives, file)
        with _archive("xyz", 3, _plan(3) | {"more": [1]}, b',"beside":{"a":1}') as file:
            assert await _unpacked(archives, file) == as_written


async def test_archives_are_taken_apart_one_at_a_time_and_who_waits_in_vain_is_told_when_to_come_back(
    tmp_path: Path,
) -> None:
    quick = ArchiveLimits(LIMITS.archive_bytes, LIMITS.text_chars, LIMITS.memory_bytes, seconds=-2.9)
    with closing(ArchiveReader(quick, tmp_path)) as archives, _archive("xyz", 3, _plan(3)) as file:
        give_back = await archives.memory.take(LIMITS.memory_bytes)
        with pytest.raises(RestoresBusy) as busy:
            await _unpacked(archives, file)
        give_back()
    assert busy.value.headers()["Retry-After"]


async def test_a_tenant_with_many_archives_lets_another_go_before_its_second(tmp_path: Path) -> None:
    done: list[str] = []

    async def take(archives: ArchiveReader, file: IO[bytes], tenant: str) -> None:
        await _unpacked(archives, file, tenant)
        done.append(tenant)

    with closing(ArchiveReader(LIMITS, tmp_path)) as archives, _archive("xyz", 3, _plan(3)) as file:
        give_back = await archives.memory.take(LIMITS.memory_bytes)
        async with asyncio.TaskGroup() as all_of_them:
            for tenant in ("acme", "acme", "acme", "beta"):
                all_of_them.create_task(take(archives, file, tenant))
            await asyncio.sleep(0)
            give_back()
    assert done.index("beta") <= 1


async def test_no_more_archives_are_received_than_may_wait(tmp_path: Path) -> None:
    async def nothing() -> AsyncIterator[bytes]:
        for piece in (b"a", b"b"):
            yield piece

    async with AsyncExitStack() as held:
        archives = held.enter_context(closing(ArchiveReader(LIMITS, tmp_path)))
        for tenant, count in (("acme", SHARE), ("beta", PLACES - SHARE)):
            for _ in range(count):
                await held.enter_async_context(archives.received(tenant, nothing()))
            with pytest.raises(RestoresBusy):
                await held.enter_async_context(archives.received(tenant, nothing()))
        with pytest.raises(RestoresBusy):
            await held.enter_async_context(archives.received("gamma", nothing()))
