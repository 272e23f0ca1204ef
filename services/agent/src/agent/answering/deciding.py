"""Who decides that the documents hold no answer: the call says, else the collections, else the key, else the model."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass

from contracts.core.abstention import Abstain
from contracts.models.catalog import ModelInfo
from contracts.retrieval.search import SearchReply
from servicekit.core.errors import ServiceError


@dataclass(slots=True)
class Deciding:
    """Of one answer, whoever has said who decides."""

    of_call: Abstain | None = None
    of_key: Abstain | None = None
    _of_collections: Abstain | None = None

    def note(self, reply: SearchReply) -> None:
        """What the collections say that were searched."""
        self._of_collections = reply.abstain

    @property
    def said(self) -> Abstain | None:
        """What somebody said; None where it depends on the model."""
        return self.of_call or self._of_collections or self.of_key

    async def by(self, model: Awaitable[ModelInfo | None]) -> Abstain:
        """Who decides where this model words the answer (decision 0133). The packaged one does not, nor one that can't
        be had; it is waited for only where nobody has said who does."""
        if self.said is not None:
            return self.said
        try:
            known = await model
        except ServiceError:  # which is raised, or noted, where the model is asked
            return "reader"
        return "reader" if known is None or known.packaged else "model"
