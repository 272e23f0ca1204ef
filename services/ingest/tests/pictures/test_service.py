"""Pages that are made to cost time or memory, and callers that ask for many at once."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from libs.extraction.tests.pdf_pages import page_of

from ingest.blobs.memory import MemoryBlobs
from ingest.pictures import service
from ingest.pictures.errors import OriginalTooSlow, PageNotDrawable, PictureBrokenOff, PicturesBusy
from ingest.pictures.service import SHARE, PagePictures, PageRequest, PictureLimits
from ingest.tenant_slots import WAITING_PER_SLOT

MEBIBYTE = 1 << 20
LONG = PictureLimits(memory_bytes=512 * MEBIBYTE, seconds=60)
ENDLESS = page_of(b"0 0 m " + b"600 800 l 0 800 l 600 0 l 0 0 l " * 600_000 + b"S")
"""Takes a minute of a core."""


def _page(key: str = "acme/page") -> PageRequest:
    return PageRequest("a", 1, key, None, ())


async def _blobs(content: bytes) -> MemoryBlobs:
    blobs = MemoryBlobs()
    await blobs.put("acme/page", io.BytesIO(content))
    return blobs


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "scratch"
    yield folder
    assert list(folder.iterdir()) == []


class _SlowStore(MemoryBlobs):
    """Gives one file, after some seconds or never."""

    def __init__(self, file: Path, seconds: float | None = 0.0) -> None:
        super().__init__()
        self.file, self.seconds = file, seconds

    @asynccontextmanager
    async def local(self, key: str) -> AsyncIterator[Path]:
        if self.seconds != 0:
            await asyncio.wait({asyncio.get_running_loop().create_future()}, timeout=self.seconds)
        yield self.file


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    file = tmp_path / "endless.pdf"
    file.write_bytes(ENDLESS)
    return file


async def test_a_page_that_takes_too_long_is_given_up(scratch: Path, endless: Path) -> None:
    pictures = PagePictures(_SlowStore(endless), PictureLimits(512 * MEBIBYTE, 3), scratch)
    with closing(pictures), pytest.raises(PageNotDrawable, match="fetching and drawing it takes longer than 3 s"):
        await pictures.draw("acme", _page())


async def test_a_file_that_does_not_come_is_given_up_and_its_slot_is_free(scratch: Path, tmp_path: Path) -> None:
    blobs = _SlowStore(tmp_path / "page.pdf", seconds=None)
    blobs.file.write_bytes(page_of(b""))
    with closing(PagePictures(blobs, PictureLimits(512 * MEBIBYTE, 0.05), scratch)) as pictures:
        for _ in range(2):
            with pytest.raises(OriginalTooSlow, match=r"0\.05 s .*INGEST_BLOBS_URL") as slow:
                await pictures.draw("acme", _page())
        assert (slow.value.http_status, slow.value.retry_after) == (504, 5)


async def test_fetching_and_drawing_have_one_time_and_the_slower_is_blamed(scratch: Path, endless: Path) -> None:
    pictures = PagePictures(_SlowStore(endless, seconds=1.2), PictureLimits(512 * MEBIBYTE, 2), scratch)
    with closing(pictures), pytest.raises(OriginalTooSlow):
        await pictures.draw("acme", _page())


async def test_no_more_is_read_of_a_picture_s_facts_than_they_can_be(
    scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MOST_FACTS_BYTES", 10)
    pictures = PagePictures(await _blobs(page_of(b"")), LONG, scratch)
    with closing(pictures), pytest.raises(PageNotDrawable, match="left more than 10 bytes of facts"):
        await pictures.draw("acme", _page())


async def test_a_page_that_takes_too_much_memory_is_given_up(scratch: Path) -> None:
    pictures = PagePictures(await _blobs(page_of(b"")), PictureLimits(1 * MEBIBYTE, 60), scratch)
    with closing(pictures), pytest.raises(PageNotDrawable, match="can't be drawn"):
        await pictures.draw("acme", _page())


async def test_callers_take_turns_and_those_beyond_are_told_at_once(scratch: Path) -> None:
    blobs = await _blobs(page_of(b""))
    held, reached = asyncio.Event(), asyncio.Event()
    original = blobs.local

    @asynccontextmanager
    async def local(key: str) -> AsyncIterator[Path]:
        reached.set()
        await held.wait()
        async with original(key) as path:
            yield path

    blobs.local = local  # type: ignore[method-assign]
    with closing(PagePictures(blobs, LONG, scratch)) as pictures:
        most = SHARE * WAITING_PER_SLOT
        first = [asyncio.create_task(pictures.draw("acme", _page())) for _ in range(1 + most)]
        async with asyncio.timeout(60):
            await reached.wait()
            with pytest.raises(PicturesBusy):
                await pictures.draw("acme", _page())
            other = asyncio.create_task(pictures.draw("globex", _page()))
            held.set()
            assert all(picture.png for picture in await asyncio.gather(*first, other))


async def test_when_the_process_that_draws_is_killed_no_page_is_blamed(scratch: Path) -> None:
    blobs = await _blobs(page_of(b""))
    with closing(PagePictures(blobs, LONG, scratch)) as pictures:
        original = blobs.local

        @asynccontextmanager
        async def local(key: str) -> AsyncIterator[Path]:
            asyncio.get_running_loop().call_soon(pictures.close)
            async with original(key) as path:
                yield path

        blobs.local = local  # type: ignore[method-assign]
        drawing = asyncio.create_task(pictures.draw("acme", _page()))
        with pytest.raises(PictureBrokenOff):
            while not drawing.done():
                pictures.close()
                await asyncio.sleep(0)
            await drawing
