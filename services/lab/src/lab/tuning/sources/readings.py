"""How a reading model of inference reads passages, with what it sees in them: in bulk, behind whoever waits, and
uncharged."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from contracts.models.catalog import ModelInfo
from contracts.models.reading import ReadingReply, ReadingRequest
from lab.tuning.errors import NotAReadingModel
from lab.tuning.method import Work
from lab.tuning.sources.examples import asked
from lab.tuning.sources.passages import Searched
from servicekit.core.errors import PeerError
from servicekit.peers.client import Peer, PeerMalformed

SECONDS = 300.0
"""For the passages of one question, behind whatever else is read."""
_NO_FEATURES = 400


@dataclass(frozen=True, slots=True)
class Rows:
    """Of one question's passages, each as float32: the chance that it answers, then its features."""

    content: bytes
    width: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Readings:
    """By inference."""

    inference: Peer

    async def model(self, work: Work) -> ModelInfo:
        """The job's; raises `NotAReadingModel`."""
        path = f"/v1/models/{quote(work.model, safe='')}"
        model = await self.inference.call("GET", path, ModelInfo, token=await work.token())
        if model.kind != "reading":
            raise NotAReadingModel(work.model, f"it is for {model.kind}")
        return model

    async def check(self, work: Work, model: ModelInfo) -> None:
        """That it gives features, before any search is charged; raises `NotAReadingModel`."""
        question = asked(work.held_out[0])
        async for _ in self.read(work, model, [Searched(work.held_out[0].id, question, [question], [False])]):
            pass

    async def read(self, work: Work, model: ModelInfo, searched: Sequence[Searched]) -> AsyncIterator[Rows]:
        """A question's passages at a time; raises `NotAReadingModel` where the model gives no features."""
        import numpy as np

        for one in searched:
            body = ReadingRequest(
                model=model.id, question=one.question, passages=one.texts, priority="bulk", features=True
            )
            try:
                reply = await self.inference.call(
                    "POST", "/v1/reading", ReadingReply, token=await work.token(), body=body, timeout_seconds=SECONDS
                )
            except PeerError as error:
                if error.http_status == _NO_FEATURES:
                    raise NotAReadingModel(work.model, "it gives nothing that could be learnt on") from None
                raise
            rows = [
                [each.answers or 0.0, *np.frombuffer(base64.b64decode(features), dtype="<f4").tolist()]
                for each, features in zip(reply.passages, reply.features, strict=False)
            ]
            widths = {len(row) for row in rows}
            if len(rows) != len(one.texts) or len(widths) != 1:
                raise PeerMalformed(self.inference.name)
            yield Rows(np.array(rows, dtype="<f4").tobytes(), widths.pop(), reply.usage.total_tokens)
