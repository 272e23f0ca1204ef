"""How much memory the weights of a sentence-transformers folder take, looked at before they are loaded."""

from __future__ import annotations

import json
from collections.abc import Callable
from math import prod
from pathlib import Path

from safetensors import SafetensorError, safe_open

from inference.engines.memory import available_bytes, check_memory

SAFETENSORS = ("model.safetensors", "model-*-of-*.safetensors")
PICKLED = ("pytorch_model.bin", "pytorch_model-*-of-*.bin")
"""What is loaded of a folder, and of those of its modules, in which there are no safetensors."""
HALVES = frozenset(("F16", "BF16"))
"""Types of tensors that are loaded as float32, which has twice their bytes."""
REMEDY = "Take a smaller model, or give this machine or container more memory"


def check_weights(folder: Path, available: Callable[[], int | None] = available_bytes) -> None:
    """Raise `ModelTooLarge` where a model's weights alone need more memory than there is."""
    check_memory(folder.name, weights_bytes(folder), available(), REMEDY)


def weights_bytes(folder: Path) -> int:
    """Of all modules of a model, in float32, in which they are loaded; packed weights as they are."""
    return sum(map(_tensor_bytes, _files(folder, SAFETENSORS))) + sum(
        file.stat().st_size for file in _files(folder, PICKLED) if not _in(file.parent, SAFETENSORS)
    )


def _files(folder: Path, patterns: tuple[str, ...]) -> list[Path]:
    return [file for module in _modules(folder) for pattern in patterns for file in module.glob(pattern)]


def _modules(folder: Path) -> set[Path]:
    """The folders that a model is loaded from: other models may lie beside it."""
    try:
        listed = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
        modules = {folder / module["path"] for module in listed}
    except (OSError, ValueError, TypeError, KeyError):
        return {folder}  # as they are where nothing lists them
    routers = {module for module in modules if (module / "router_config.json").is_file()}
    return modules | {inner for router in routers for inner in router.iterdir() if inner.is_dir()}


def _in(folder: Path, patterns: tuple[str, ...]) -> bool:
    return any(True for pattern in patterns for _ in folder.glob(pattern))


def _tensor_bytes(file: Path) -> int:
    size = file.stat().st_size
    try:
        with safe_open(file, framework="numpy") as opened:
            tensors = [opened.get_slice(name) for name in opened.keys()]  # noqa: SIM118  # it is no dict
            halves: int = sum(2 * prod(each.get_shape()) for each in tensors if each.get_dtype() in HALVES)
    except (SafetensorError, OSError):
        return size  # loading says what is wrong with it
    return size + halves
