"""What all parsers of a worker may use together, and documents that would take all of it."""

from __future__ import annotations

import asyncio
import os
from contextlib import closing
from pathlib import Path

import pytest

from extraction.formats.catalog import PDF, TEXT
from extraction.model.document import Resume
from extraction.model.failures import ParseFailed
from extraction.model.limits import Limits
from extraction.sandbox.extractor import SandboxedExtractor
from extraction.sandbox.sandbox import MemoryBudget

LIMITS = Limits(max_pages=100, max_text_chars=50_000_000)
MEBIBYTE = 1 << 20
PAGE = os.sysconf("SC_PAGE_SIZE")
DRAWS_ITSELF = (
    b"<</Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X 5 0 R>>>>/Length 11>>stream\n"
    b"/X Do /X Do\nendstream"
)


def endless_pdf() -> bytes:
    """A PDF of some hundred bytes with a form that draws itself twice, and each of these itself twice."""
    objects = (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources<</XObject<</X 5 0 R>>>>>>",
        b"<</Length 5>>stream\n/X Do\nendstream",
        DRAWS_ITSELF,
    )
    made, offsets = b"%PDF-1.7\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(made))
        made += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    rows = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    table = b"xref\n0 6\n0000000000 65535 f \n" + rows
    return made + table + b"trailer<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % len(made)


def _resident(parent: int) -> int:
    """Bytes of memory that the children of a process have."""
    total = 0
    for task in Path(f"/proc/{parent}/task").iterdir():
        for child in (task / "children").read_text().split():
            try:
                total += int(Path(f"/proc/{child}/statm").read_text().split()[1]) * PAGE
            except OSError:  # it has ended meanwhile
                continue
    return total


async def test_parsers_together_never_have_more_memory_than_the_worker_allows(tmp_path: Path) -> None:
    (tmp_path / "form.pdf").write_bytes(endless_pdf())
    most, seen = 512 * MEBIBYTE, 0

    async def read(process: SandboxedExtractor) -> str:
        with pytest.raises(ParseFailed) as failure:
            await process.extract(tmp_path / "form.pdf", PDF)
        return failure.value.code

    process = SandboxedExtractor(LIMITS, 600, 256 * MEBIBYTE, share_bytes=160 * MEBIBYTE, total_bytes=most)
    with closing(process):
        reading = [asyncio.create_task(read(process)) for _ in range(6)]
        while not all(task.done() for task in reading):
            await asyncio.wait(reading, timeout=0.02)
            if process.sandbox.workers.fork_server_pid is not None:
                seen = max(seen, await asyncio.to_thread(_resident, process.sandbox.workers.fork_server_pid))
        assert [task.result() for task in reading] == ["too_large"] * 6
    assert 0 < seen <= most


async def test_a_document_that_needs_more_than_its_share_is_read_with_more(tmp_path: Path) -> None:
    text = "word " * 9_000_000
    (tmp_path / "long.txt").write_text(text)
    with closing(SandboxedExtractor(LIMITS, 600, 128 * MEBIBYTE)) as process, pytest.raises(ParseFailed):
        await process.extract(tmp_path / "long.txt", TEXT)
    with closing(SandboxedExtractor(LIMITS, 600, 1 << 30, share_bytes=128 * MEBIBYTE)) as process:
        assert (await process.extract(tmp_path / "long.txt", TEXT)).text == text.strip()


async def test_what_was_read_within_the_share_is_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "\n\n".join(["word " * 20_000] * 15)
    (tmp_path / "long.txt").write_text(text)
    began: list[Resume] = []
    one_child = SandboxedExtractor._parts

    async def parts(self, source, media_type, resume, memory_bytes):  # type: ignore[no-untyped-def]
        """The first child ends for want of memory after two parts."""
        began.append(resume)
        taken = 0
        async for part in one_child(self, source, media_type, resume, memory_bytes):
            yield part
            taken += 1
            if memory_bytes == self.share_bytes and taken == 2:
                raise ParseFailed("too_large", "no memory")

    with closing(SandboxedExtractor(LIMITS, 600, 1 << 30, share_bytes=512 * MEBIBYTE, total_bytes=1 << 30)) as process:
        whole = await process.extract(tmp_path / "long.txt", TEXT)
        monkeypatch.setattr(SandboxedExtractor, "_parts", parts)
        assert await process.extract(tmp_path / "long.txt", TEXT) == whole
    assert [resume.parts for resume in began] == [0, 2]


async def test_a_large_share_is_not_overtaken_by_small_ones_for_ever() -> None:
    memory, order = MemoryBudget(10), []

    async def take(amount: int) -> None:
        give_back = await memory.take(amount)
        order.append(amount)
        await asyncio.sleep(0)
        give_back()
        give_back()  # gives nothing back twice

    first = await memory.take(4)
    async with asyncio.TaskGroup() as waiting:
        for amount in (9, 1, 1):
            waiting.create_task(take(amount))
        await asyncio.sleep(0)
        first()
    assert (order, memory.taken_bytes) == ([9, 1, 1], 0)
    with pytest.raises(ValueError, match="11 bytes of a total of 10"):
        await memory.take(11)
