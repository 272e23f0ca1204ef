from __future__ import annotations

import asyncio
import os
import signal
from contextlib import aclosing, closing
from pathlib import Path

import pytest
from libs.extraction.tests.cases import LIMITS

from extraction.formats.catalog import TEXT
from extraction.sandbox.extractor import SandboxedExtractor
from extraction.sandbox.pool import ForkServerLost


async def test_workers_that_lose_their_fork_server_blame_no_document_and_the_next_has_a_new_one(tmp_path: Path) -> None:
    path = tmp_path / "document"
    path.write_text("word " * 100_000)
    with closing(SandboxedExtractor(LIMITS, seconds=600, memory_bytes=1 << 30)) as process:
        with pytest.raises(ForkServerLost):
            async with aclosing(process.parts(path, TEXT)) as parts:
                reading = asyncio.ensure_future(anext(parts))
                await asyncio.sleep(0)
                assert process.sandbox.workers.fork_server_pid is not None
                os.kill(process.sandbox.workers.fork_server_pid, signal.SIGKILL)
                await reading
        path.write_text("words")
        assert (await process.extract(path, TEXT)).text == "words"
