"""The parts that the routes work with: built once at start by `bootstrap`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from inference.serving.models import ServedModels
from servicekit.core.probes import Probe


@dataclass(frozen=True, slots=True)
class Dependencies:
    """Everything that outlives a call."""

    models: ServedModels
    reader_seconds: float = 60.0
    """How long a caller may leave a streamed answer unread."""

    def probes(self) -> Mapping[str, Probe]:
        """One for each model."""
        return self.models.probes()
