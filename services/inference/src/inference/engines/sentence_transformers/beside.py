"""What was learnt beside the layers of an encoder becomes a part of them."""

from __future__ import annotations

from typing import Any

from inference.catalog.learnt.lora import Lora, Matrices
from inference.errors import CannotLoad


def merge(module: Any, lora: Lora | Matrices, torch: Any) -> None:
    """Add all of it to the weights of an encoder in float32; raises `CannotLoad` where it fits another one."""
    with torch.no_grad():
        for name, one in lora.matrices.items():
            try:
                weight = module.get_submodule(name).weight
                weight += torch.from_numpy(one.change(lora.rank))
            except (AttributeError, RuntimeError) as error:
                raise CannotLoad(f"what was learnt does not fit the layer {name} of its encoder: {error}") from None
