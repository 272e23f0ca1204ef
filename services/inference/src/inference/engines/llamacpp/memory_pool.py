"""The memory that all models of llama.cpp share: each reserves its part before its process starts, and the ones that
nobody asks are put to sleep for it, the least recently used first.

What a process needs is reserved in full, as the system does not show it yet: keys and values take memory when they are
first used, and weights are pages of a file, which count as free.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Protocol

from inference.engines.llamacpp.memory import REMEDY
from inference.engines.llamacpp.process import gpu_bytes
from inference.engines.memory import MEGABYTE, available_bytes
from inference.errors import ModelTooLarge

WAIT_SECONDS = 5.0
"""How long a model waits for calls of others to end, where nothing else gives it room."""


class Sleeper(Protocol):
    """A model whose process can be ended until somebody asks it."""

    @property
    def pid(self) -> int | None:
        """The number of its process; None while it has none that has loaded it."""
        ...

    @property
    def idle_since(self) -> float | None:
        """When it was last used; None while it is, and of one that never sleeps."""
        ...

    @property
    def private_bytes(self) -> int:
        """What its process holds that the system does not count as free."""
        ...

    async def fall_asleep(self) -> None:
        """End its process; of one that is idle."""
        ...


@dataclass(frozen=True, slots=True)
class _Part:
    size: int
    on_gpus: bool
    """Whether its layers go to GPUs, if there are any."""


class MemoryPool:
    """Who has a part of the memory, and how large it may become."""

    def __init__(
        self,
        available: Callable[[], int | None] = lambda: available_bytes(mapped=True),
        gpus: Callable[[], Awaitable[int | None]] = gpu_bytes,
    ) -> None:
        self._available = available
        self._gpus = gpus
        self._has_gpus: bool | None = None
        """None while it is not known. Where there are none, none come while this runs."""
        self._parts: dict[Sleeper, _Part] = {}
        self._one_at_a_time = asyncio.Lock()
        self._changed = asyncio.Event()

    def has(self, model: Sleeper) -> bool:
        """Whether a model has its part: until it sleeps or is closed, also while it is started again."""
        return model in self._parts

    async def reserve(self, model: Sleeper, name: str, needed: int, *, gpu_layers: int | None, must: bool) -> None:
        """Have a part of `needed` bytes for a model that has none, once idle ones have given theirs back.

        One that `must` has it though there is less. Else raises `ModelTooLarge` where calls of others keep it for as
        long as a caller can wait.
        """
        give_up = time.monotonic() + WAIT_SECONDS
        part = _Part(needed, on_gpus=gpu_layers != 0)
        while not await self._reserve_now(model, part, give_up, must=must):
            if (left := give_up - time.monotonic()) <= 0:
                raise ModelTooLarge(self._shortage(name, needed))
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), left)

    def release(self, model: Sleeper) -> None:
        """Its process has ended, and is not started again before it is asked."""
        self._parts.pop(model, None)
        self.notify()

    def notify(self) -> None:
        """A call has ended: its model may be idle now."""
        self._changed.set()

    async def _reserve_now(self, model: Sleeper, part: _Part, give_up: float, *, must: bool) -> bool:
        """Whether it has its part, for which idle models were put to sleep where it took that."""
        async with self._one_at_a_time:
            while not await self._has_room(part, give_up):
                idle = [(since, each) for each in self._parts if (since := each.idle_since) is not None]
                if not idle or not (must or self._would_do(part, [each for _, each in idle])):
                    break
                _, longest = min(idle, key=itemgetter(0))
                await longest.fall_asleep()
                self._parts.pop(longest, None)
            else:
                must = True
            if must:
                self._parts[model] = part
            return must

    async def _has_room(self, part: _Part, give_up: float) -> bool:
        """GPUs are asked only where they decide: it takes a moment. What is on them is there once a process serves."""
        available = self._available()
        if available is None or part.size <= available - self._outstanding():
            return True
        if not self._gpus_decide(part):
            return False
        free = await self._free_of_gpus(give_up)
        if not part.on_gpus:
            return part.size <= available - self._outstanding()
        of_machine = sum(self._to_come(model) for model, other in self._parts.items() if not other.on_gpus)
        of_either = self._outstanding() - of_machine
        return part.size <= max(0, available - of_machine) + free - of_either

    def _gpus_decide(self, part: _Part) -> bool:
        """They may have room for the model itself, or have what is counted as the machine's until they are known."""
        if self._has_gpus is None:
            return part.on_gpus or any(of.on_gpus and each.pid is not None for each, of in self._parts.items())
        return self._has_gpus and part.on_gpus

    async def _free_of_gpus(self, give_up: float) -> int:
        """Their free memory. Those that don't answer while a caller can wait are as none, for now."""
        try:
            async with asyncio.timeout(max(0.0, give_up - time.monotonic())):
                free = await self._gpus()
        except TimeoutError:
            self._has_gpus = None
            return 0
        self._has_gpus = free is not None
        return free or 0

    def _would_do(self, part: _Part, idle: Sequence[Sleeper]) -> bool:
        """Whether there is room once all of them sleep: none does for nothing. What GPUs would have is not known."""
        freed = sum(self._to_come(model) + model.private_bytes for model in idle)
        has_gpus = part.on_gpus and bool(self._has_gpus)
        return has_gpus or part.size <= (self._available() or 0) - self._outstanding() + freed

    def _outstanding(self) -> int:
        """What models have reserved and do not hold yet."""
        return sum(self._to_come(model) for model in self._parts)

    def _to_come(self, model: Sleeper) -> int:
        """What a model may take yet: nothing where GPUs have it, once its process serves."""
        part = self._parts[model]
        if part.on_gpus and self._has_gpus and model.pid is not None:
            return 0
        return max(0, part.size - model.private_bytes)

    def _shortage(self, name: str, needed: int) -> str:
        left = max(0, (self._available() or 0) - self._outstanding())
        what = f"{name} needs about {needed // MEGABYTE} MB, and {left // MEGABYTE} MB are left"
        if not self._parts:
            return f"{what}. {REMEDY}"
        return f"{what} beside models that are awake. Ask again once their calls have ended. If it stays so: {REMEDY}"
