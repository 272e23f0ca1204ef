from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from inference.catalog.gguf_files import GgufFiles
from inference.engines.llamacpp.process import LOG_LINE, ServerOptions, start_server
from inference.errors import EngineMissing


async def test_where_the_library_is_missing_one_line_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EngineMissing, match="pip install xllamacpp") as missing:
        await start_server("m", GgufFiles(tmp_path / "m.gguf"), ServerOptions(64, 1, 1, None), "key")
    assert "\n" not in str(missing.value)
    assert missing.value.code == "engine_not_installed"


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("0.00.028.951 E llama_model_load: error loading model", ("E", "llama_model_load: error loading model")),
        ("0.54.265.465 W srv    operator(): unauthorized", ("W", "srv    operator(): unauthorized")),
        ("terminate called after throwing an instance", None),
    ],
)
def test_levels_of_llama_cpps_log_are_read(line: str, parts: tuple[str, str] | None) -> None:
    found = LOG_LINE.match(line)
    assert (found.groups() if found else None) == parts
