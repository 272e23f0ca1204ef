"""What a run took over that goes on from a point of another one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Origin:
    """The point, and where on the run's own thread the messages stand that it begins with instead of its input."""

    thread_id: str
    run_id: str
    after: int
    begins: int
    ends: int
    """The position behind the last of them."""

    def values(self) -> dict[str, Any]:
        """As the run's row has it."""
        return asdict(self)


def origin_of(run: Mapping[str, Any]) -> Origin | None:
    """The origin of a run, by its row; None of one that began with its input."""
    kept = run["replayed_from"]
    return None if kept is None else Origin(**kept)


def count_taken_over(run: Mapping[str, Any]) -> int:
    """How many messages it began with."""
    origin = origin_of(run)
    return 0 if origin is None else origin.ends - origin.begins
