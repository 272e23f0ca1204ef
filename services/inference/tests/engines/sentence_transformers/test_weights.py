from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from inference.engines.sentence_transformers.weights import check_weights, weights_bytes
from inference.errors import ModelTooLarge


def saved(file: Path, dtype: type, elements: int = 1000) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file({"weight": np.zeros((2, elements // 2), dtype)}, file)


def listed(folder: Path, *modules: str) -> None:
    (folder / "modules.json").write_text(json.dumps([{"idx": at, "path": path} for at, path in enumerate(modules)]))


def test_halves_are_loaded_in_float32_and_all_else_as_it_is(tmp_path: Path) -> None:
    for name, dtype, size in (("whole", np.float32, 4000), ("half", np.float16, 4000), ("packed", np.int8, 1000)):
        saved(tmp_path / name / "model.safetensors", dtype)
        assert size <= weights_bytes(tmp_path / name) < size + 200  # the header


def test_all_modules_and_parts_count_and_what_is_not_loaded_does_not(tmp_path: Path) -> None:
    saved(tmp_path / "model-00001-of-00002.safetensors", np.float32)
    saved(tmp_path / "model-00002-of-00002.safetensors", np.float32)
    saved(tmp_path / "2_Dense" / "model.safetensors", np.float32)
    (tmp_path / "3_Dense").mkdir()
    (tmp_path / "3_Dense" / "pytorch_model.bin").write_bytes(b"x" * 4000)
    listed(tmp_path, "", "1_Pooling", "2_Dense", "3_Dense")
    saved(tmp_path / "another" / "model.safetensors", np.float32, 50_000)
    for other in ("pytorch_model.bin", "consolidated.safetensors", "onnx/model.onnx"):
        (tmp_path / other).parent.mkdir(exist_ok=True)
        (tmp_path / other).write_bytes(b"x" * 50_000)
    assert 16_000 <= weights_bytes(tmp_path) < 16_600


@pytest.mark.parametrize("modules", [None, "no JSON", '{"path": "another"}', "[{}]"])
def test_where_nothing_lists_modules_the_folder_itself_counts(tmp_path: Path, modules: str | None) -> None:
    saved(tmp_path / "model.safetensors", np.float32)
    saved(tmp_path / "another" / "model.safetensors", np.float32, 50_000)
    if modules is not None:
        (tmp_path / "modules.json").write_text(modules)
    assert 4000 <= weights_bytes(tmp_path) < 4200


def test_the_modules_of_a_router_count(tmp_path: Path) -> None:
    saved(tmp_path / "0_Router" / "query_0" / "model.safetensors", np.float32)
    (tmp_path / "0_Router" / "router_config.json").write_text("{}")
    listed(tmp_path, "0_Router")
    assert 4000 <= weights_bytes(tmp_path) < 4200


def test_a_damaged_file_counts_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"x" * 5000)
    assert weights_bytes(tmp_path) == 5000


def test_a_folder_that_needs_more_than_there_is_is_refused(tmp_path: Path) -> None:
    saved(tmp_path / "large" / "model.safetensors", np.float16, 4_000_000)
    with pytest.raises(ModelTooLarge, match=r"large needs about 16 MB and 15 MB are free\. Take a smaller model"):
        check_weights(tmp_path / "large", lambda: 15_000_000)
    check_weights(tmp_path / "large", lambda: 17_000_000)
    check_weights(tmp_path / "large", lambda: None)
