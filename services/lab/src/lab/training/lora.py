"""Low-rank adaptation (Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2021): beside each projection
of the model, which stays as it is, the product of two small matrices is learnt."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


class LoraLinear(nn.Module):  # type: ignore[misc]
    """`y = W x + (alpha / r) B A x`. B begins with zeros, so that the model begins as it was."""

    def __init__(self, inner: nn.Linear, rank: int, alpha: float, generator: torch.Generator) -> None:
        super().__init__()
        self.inner = inner
        self.scale = alpha / rank
        device, a = inner.weight.device, torch.empty(rank, inner.in_features)
        bound = 1 / math.sqrt(inner.in_features)  # nn.Linear's own: kaiming_uniform_ with a = sqrt(5)
        self.a = nn.Parameter(a.uniform_(-bound, bound, generator=generator).to(device))
        self.b = nn.Parameter(torch.zeros(inner.out_features, rank, device=device))

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) to (..., out), in the precision of `x`."""
        small = functional.linear(functional.linear(x, self.a.to(x.dtype)), self.b.to(x.dtype))
        found: Tensor = self.inner(x) + self.scale * small
        return found


def add_lora(
    model: nn.Module, rank: int, alpha: float, seed: int, names: Collection[str] | None = None
) -> dict[str, LoraLinear]:
    """Freeze the model and put the matrices beside its projections, or the layers of these names. The same seed gives
    the same."""
    generator = torch.Generator().manual_seed(seed)
    model.requires_grad_(False)
    found: dict[str, LoraLinear] = {}
    for name, parent, child, inner in list(_projections(model, names)):
        found[name] = LoraLinear(inner, rank, alpha, generator)
        setattr(parent, child, found[name])
    return found


def _projections(model: nn.Module, names: Collection[str] | None) -> Iterator[tuple[str, nn.Module, str, nn.Linear]]:
    for name, module in model.named_modules():
        parent, _, child = name.rpartition(".")
        wanted = child in PROJECTIONS if names is None else name in names
        if wanted and isinstance(module, nn.Linear):
            yield name, model.get_submodule(parent), child, module
