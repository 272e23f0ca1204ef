from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from libs.extraction.tests.cases import LIMITS

from extraction.formats.catalog import TEXT
from extraction.sandbox.extractor import SandboxedExtractor


async def test_a_worker_sees_nothing_of_our_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("INGEST_REDIS_URL", "redis://:secret@127.0.0.1/0")
    (tmp_path / "ingest").mkdir()
    (tmp_path / "ingest" / "__init__.py").write_text("raise SystemExit('ours was taken over')")
    path = tmp_path / "document"
    path.write_text("words")
    with closing(SandboxedExtractor(LIMITS, 600, 1 << 30)) as process:
        assert (await process.extract(path, TEXT)).text == "words"
