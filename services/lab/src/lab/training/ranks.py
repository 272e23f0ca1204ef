"""Processes that learn one job together: each reads its share of a batch, and all take the step that all shares make.

`torchrun` starts them and tells each its number and how they find each other; without it there is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed

Part = TypeVar("Part")


@dataclass(frozen=True, slots=True)
class Ranks:
    """Which process this is, of how many."""

    number: int = 0
    count: int = 1

    @classmethod
    def join(cls) -> Ranks:
        """Meet the others, if there are any."""
        if not (distributed.is_available() and distributed.is_torchelastic_launched()):
            return cls()
        distributed.init_process_group("gloo")
        return cls(distributed.get_rank(), distributed.get_world_size())

    @property
    def is_first(self) -> bool:
        """The one that tells how far they are, and writes files."""
        return self.number == 0

    def share(self, parts: Sequence[Part]) -> Sequence[Part]:
        """What this process does of them."""
        return parts[self.number :: self.count]

    def add_up(self, total: float, parameters: Sequence[Any]) -> float:
        """The sum of all processes' totals; the slopes of parameters become theirs, too."""
        if self.count == 1:
            return total
        slopes = [torch.zeros_like(one) if one.grad is None else one.grad for one in parameters]
        flat = torch.cat([torch.tensor([total]), *(slope.flatten() for slope in slopes)])
        distributed.all_reduce(flat)
        places: Sequence[Tensor] = flat[1:].split([slope.numel() for slope in slopes])
        for parameter, slope in zip(parameters, places, strict=True):
            parameter.grad = slope.view_as(parameter).clone()
        return float(flat[0])
