"""Which target of a route a caller is answered by: drawn by weight, and the same each time.

Weighted rendezvous hashing (Schindelhauer and Schomaker, "Weighted distributed hash tables", SPAA 2005): each target
has a number that depends on the route, the caller and its own name, divided by its weight in the exponential's way, and
the least wins. Every replica draws alike without asking anybody, targets get their weights' shares, and when a weight
changes only callers move whose target has lost share, or who go to one that has gained.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from contracts.models.receipts import Variant
from contracts.models.routes import RouteSpec, RouteTarget, is_plain

NOT_THE_VARIANTS = frozenset(("client_disconnected", "rate_limited", "budget_exceeded"))
"""`error_type` of calls that failed whatever variant they were of."""


@dataclass(slots=True)
class Assignment:
    """The variant that a call was drawn for, and for whom."""

    route: str
    version: int
    target: RouteTarget
    unit: str
    """Who keeps this variant, as a hash: a key, a person, a conversation, or this call alone."""
    spec: RouteSpec
    """Of the route as it was when the call came."""
    id_of: Callable[[str], str] = str
    """What makes of an answer's id the one that its caller sees."""
    abstained: bool | None = None
    """What an answer from documents says of itself, once it is there."""
    grounded: bool | None = None
    answer_id: str | None = None

    @property
    def variant(self) -> Variant:
        """As receipts have it."""
        return Variant(route=self.route, version=self.version, name=self.target.variant)

    def take(self, report: Mapping[str, Any]) -> None:
        """Note what the report of an answer from documents says of it."""
        self.abstained = report.get("abstained") is True
        self.grounded = None if self.abstained else report.get("grounded") is True

    def name_answer(self, name: object) -> None:
        """Note the id of an answer, the first time that it is known."""
        if self.answer_id is None and isinstance(name, str) and "\0" not in name:
            self.answer_id = self.id_of(name)[:200]

    def outcome(self, model: str | None, error_type: str | None) -> dict[str, Any]:
        """What the usage row of the call's last attempt says of its variant. It has failed where the call did, unless
        by the caller, or where a model answered that the route fell back on."""
        fell_back = is_plain(self.target.model) and model != self.target.model
        return {
            "split": self.route,
            "split_version": self.version,
            "variant": self.target.variant,
            "unit": self.unit,
            "failed": (fell_back or error_type is not None) and error_type not in NOT_THE_VARIANTS,
            "abstained": self.abstained,
            "grounded": self.grounded,
            "answer_id": self.answer_id,
        }


def unit_of(route: str, *who: str) -> str:
    """A short name for whoever keeps a variant of a route, from which nobody is told."""
    return hashlib.blake2b("\0".join((route, *who)).encode(errors="replace"), digest_size=12).hexdigest()


def draw(spec: RouteSpec, unit: str) -> RouteTarget:
    """The target that a unit has."""
    if len(spec.targets) == 1:
        return spec.targets[0]
    return min((target for target in spec.targets if target.weight), key=lambda target: _arrival(target, unit))


def _arrival(target: RouteTarget, unit: str) -> float:
    """When the target's first event would come, of events as frequent as its weight: the exponential's quantile of a
    number between 0 and 1 that the unit and the target's name give."""
    drawn = hashlib.blake2b(f"{unit}\0{target.variant}".encode(), digest_size=8).digest()
    return -math.log((int.from_bytes(drawn, "big") + 0.5) / 2**64) / target.weight
