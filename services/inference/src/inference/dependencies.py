"""The parts that the routes work with: built once at start by `bootstrap`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from inference.declarations.publication import PublishedModels
from inference.declarations.service import DeclaredModels
from inference.pulls.service import Pulls
from inference.serving.models import ServedModels
from inference.tuned.encoder_files import EncoderFiles
from servicekit.core.probes import Degraded, Probe
from servicekit.sql.database import Database


@dataclass(frozen=True, slots=True)
class Dependencies:
    """Everything that outlives a call."""

    database: Database
    declared: DeclaredModels
    published: PublishedModels
    models: ServedModels
    pulls: Pulls
    encoders: EncoderFiles
    reader_seconds: float = 60.0
    """How long a caller may leave a streamed answer unread."""

    def probes(self) -> Mapping[str, Probe]:
        """One for each model, and one for the database, without which no model can be added."""
        return {**self.declared.probes(), **self.models.probes(), "database": self._database}

    async def _database(self) -> None:
        try:
            await self.database.probe()
        except Exception as error:
            raise Degraded("away; models can't be added or removed until it is back") from error
