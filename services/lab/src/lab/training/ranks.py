"""Processes that learn one job together: each reads its share of a batch, and all take the step that all shares make.

`torchrun` starts them and tells each its number; without it there is one. They find each other by a file and speak over
loopback alone: neither asks who is there, so that nobody else may reach them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from pydantic_settings import BaseSettings
from torch import Tensor, distributed

Part = TypeVar("Part")
MEETING = "meeting/ranks"
"""The file in the job's folder by which they find each other; its folder is made anew for each attempt."""
LOOPBACK = "lo"


class Started(BaseSettings):
    """What torchrun tells a process that it starts."""

    rank: int
    world_size: int


@dataclass(frozen=True, slots=True)
class Ranks:
    """Which process this is, of how many."""

    number: int = 0
    count: int = 1

    @classmethod
    def join(cls, folder: Path) -> Ranks:
        """Meet the others, if there are any."""
        if not (distributed.is_available() and distributed.is_torchelastic_launched()):
            return cls()
        started = Started()
        os.putenv("GLOO_SOCKET_IFNAME", LOOPBACK)
        store = distributed.FileStore(str(folder / MEETING), started.world_size)
        distributed.init_process_group("gloo", store=store, rank=started.rank, world_size=started.world_size)
        return cls(started.rank, started.world_size)

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
        flat = torch.cat([torch.tensor([total]), *(slope.flatten().cpu() for slope in slopes)])
        distributed.all_reduce(flat)
        places: Sequence[Tensor] = flat[1:].split([slope.numel() for slope in slopes])
        for parameter, slope in zip(parameters, places, strict=True):
            parameter.grad = slope.view_as(parameter).to(parameter.device, copy=True)
        return float(flat[0])
