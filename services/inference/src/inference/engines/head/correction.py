"""Reading, or ranking, by a correction of a reading model that is served beside it: its chances that passages answer
are others. What was learnt beside the layers of its encoder, too, has an encoder of its own to give chances; it takes
memory from its first question on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from contracts.models.reading import PairReading, PassageReading, Reads
from inference.catalog.learnt.corrections import Correction
from inference.engines.errors import CorrectionUnusable
from inference.errors import ModelNotFound, ModelNotReady
from inference.protocol.engines import (
    NO_EXTRA_FIELDS,
    ExtraFields,
    FeatureEngine,
    FeatureResult,
    Pair,
    Priority,
    RankingResult,
    ReadingResult,
)
from inference.protocol.tokens import TokenCodec
from inference.requests.generation_request import reject_unknown_fields

CERTAIN = 1e-6
"""Chances nearer to 0 and 1 say no more."""


Features = Callable[[str, Sequence[str], Priority], Awaitable[FeatureResult]]


@dataclass(frozen=True, slots=True)
class Corrected:
    """The reading model below one, as it is served now."""

    digest: str | None
    reads: frozenset[Reads]
    features: Features | None
    """None for a model that gives none: it is a server's, a judge, or another correction."""
    read: Callable[[str, Sequence[str], Priority], Awaitable[ReadingResult[PassageReading]]]
    entail: Callable[[Sequence[Pair], Priority], Awaitable[ReadingResult[PairReading]]]
    probe: Callable[[], Awaitable[None]]
    tokenizer: Callable[[], bytes | None]
    tokens: Callable[[], TokenCodec | None]


class _OverReading:
    """What both engines have. `find` gives the reading model of a name, and raises `ModelNotFound`. Its queue is that
    model's, or that of `inner`: the encoder of its own, where it has one."""

    def __init__(
        self, name: str, correction: Correction, find: Callable[[str], Corrected], inner: FeatureEngine | None = None
    ) -> None:
        self._name = name
        self._inner = inner
        self._correction = correction
        self._find = find
        self._weights = correction.vector().astype(np.float64)

    async def open(self) -> None:
        """Nothing to load."""

    async def close(self) -> None:
        """Stop the work of its own encoder."""
        if self._inner is not None:
            await self._inner.close()

    async def probe(self) -> None:
        """Raise unless its reading model answers, is the one that it was learnt on, and gives features; and its own
        encoder, where it is loaded, answers, too."""
        found = self._origin()
        self._features_of(found)
        await found.probe()
        if self._inner is not None:
            await self._inner.probe()

    def tokenizer(self) -> bytes | None:
        """The reading model's."""
        return self._origin().tokenizer()

    def tokens(self) -> TokenCodec | None:
        """The reading model's."""
        return self._origin().tokens()

    async def _chances(
        self, question: str, passages: Sequence[str], priority: Priority
    ) -> tuple[ReadingResult[PassageReading], list[float]]:
        """What the reading model says, or the encoder of its own, and the corrected chances; raises
        `CorrectionUnusable` where it is another one now."""
        features = self._features_of(self._origin())
        found = await (features if self._inner is None else self._inner.read_features)(question, passages, priority)
        if found.features.shape[1] != len(self._weights):
            raise self._unusable(
                f"it was learnt on {len(self._weights)} features, and its reading model has {found.features.shape[1]}"
            )
        return found.result, await asyncio.to_thread(self._corrected, found)

    def _corrected(self, found: FeatureResult) -> list[float]:
        given = np.array([one.answers or 0.0 for one in found.result.readings])
        given = np.clip(given, CERTAIN, 1 - CERTAIN)
        odds = np.log(given / (1 - given)) * self._correction.scale
        odds = odds + found.features.astype(np.float64) @ self._weights + self._correction.offset
        chances: list[float] = (1 / (1 + np.exp(-np.clip(odds, -500, 500)))).tolist()
        return chances

    def _origin(self) -> Corrected:
        base, digest = self._correction.reading_model, self._correction.reading_digest
        try:
            found = self._find(base)
        except ModelNotFound:
            raise self._unusable(f"its reading model '{base}' is not there any more") from None
        if digest is not None and found.digest is None:
            raise ModelNotReady(self._name, f"the files of its reading model '{base}' are not known yet")
        if digest is not None and found.digest != digest:
            raise self._unusable(f"it was learnt on '{base}' with {digest}, which has {found.digest} now")
        return found

    def _features_of(self, found: Corrected) -> Features:
        if found.features is None:
            raise self._unusable("its reading model does not give the features that it was learnt on")
        return found.features

    def _unusable(self, why: str) -> CorrectionUnusable:
        return CorrectionUnusable(self._name, why)


class CorrectedReading(_OverReading):
    """A `ReadingEngine`."""

    def reads(self) -> frozenset[Reads]:
        """As the reading model."""
        return self._origin().reads

    async def read(
        self, question: str, passages: Sequence[str], priority: Priority = "query"
    ) -> ReadingResult[PassageReading]:
        """Its readings with the corrected chance that each answers; raises `CorrectionUnusable`.

        An encoder of its own has learnt those chances alone: where the answer stands is the reading model's still.
        """
        result, chances = await self._chances(question, passages, priority)
        if self._inner is not None:
            own = await self._origin().read(question, passages, priority)
            result = replace(own, tokens=own.tokens + result.tokens)
        readings = [
            one.model_copy(update={"answers": chance}) for one, chance in zip(result.readings, chances, strict=True)
        ]
        return replace(result, readings=tuple(readings))

    async def entail(self, pairs: Sequence[Pair], priority: Priority = "query") -> ReadingResult[PairReading]:
        """As the reading model."""
        return await self._origin().entail(pairs, priority)


class CorrectedRank(_OverReading):
    """A `RerankEngine`."""

    async def rank(self, query: str, documents: Sequence[str], extra: ExtraFields = NO_EXTRA_FIELDS) -> RankingResult:
        """Scores from 0 to 1: the corrected chances; raises `CorrectionUnusable`."""
        reject_unknown_fields(extra)
        result, chances = await self._chances(query, documents, "query")
        return RankingResult(tuple(chances), result.tokens, result.truncated)
