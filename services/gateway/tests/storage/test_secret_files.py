from __future__ import annotations

import asyncio
from pathlib import Path

from gateway.storage.secret_files import write_first


async def test_replicas_that_start_at_once_agree_on_one_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    contents = [str(number).encode() for number in range(16)]
    held = await asyncio.gather(*(asyncio.to_thread(write_first, path, content, 0o600) for content in contents))
    assert len(set(held)) == 1
    assert path.read_bytes() == held[0]
