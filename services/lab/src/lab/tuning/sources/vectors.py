"""Vectors of texts, by an embedding model of inference: in bulk, behind whoever waits, and uncharged."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from contracts.models.catalog import EmbeddingReply, EmbeddingRequest, InputType, ModelInfo
from lab.tuning.errors import NotAnEmbeddingModel
from lab.tuning.method import Work
from servicekit.peers.client import Peer, PeerMalformed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

AT_ONCE = 64
"""Texts of one call of inference."""
SECONDS = 300.0
"""For it, behind whatever else is embedded."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """Some texts' rows, the tokens read, and how many texts were longer than the model reads."""

    rows: NDArray[np.float64]
    tokens: int
    cut: int


@dataclass(frozen=True, slots=True)
class TextVectors:
    """numpy is imported when something is embedded: an idle lab does without it."""

    inference: Peer

    async def model(self, work: Work) -> ModelInfo:
        """The job's; raises `NotAnEmbeddingModel`."""
        model = await self.named(work, work.model)
        if model.kind != "embedding":
            raise NotAnEmbeddingModel(work.model, model.kind)
        return model

    async def named(self, work: Work, name: str) -> ModelInfo:
        """Any model."""
        path = f"/v1/models/{quote(name, safe='')}"
        return await self.inference.call("GET", path, ModelInfo, token=await work.token())

    async def embed(
        self, work: Work, model: ModelInfo, texts: Sequence[str], kind: InputType
    ) -> AsyncIterator[Embedded]:
        """In the texts' order, a call's at a time; `kind` is what they are, for a model that tells them apart."""
        import numpy as np

        said = kind if model.asymmetric else None
        for at in range(0, len(texts), AT_ONCE):
            part = list(texts[at : at + AT_ONCE])
            body = EmbeddingRequest(
                model=model.id, input=part, priority="bulk", input_type=said, encoding_format="base64"
            )
            reply = await self.inference.call(
                "POST", "/v1/embeddings", EmbeddingReply, token=await work.token(), body=body, timeout_seconds=SECONDS
            )
            ordered = [one.embedding for one in sorted(reply.data, key=lambda one: one.index)]
            rows = [
                np.frombuffer(base64.b64decode(one), dtype="<f4") if isinstance(one, str) else one for one in ordered
            ]
            if len(rows) != len(part):
                raise PeerMalformed(self.inference.name)
            yield Embedded(np.array(rows, dtype=np.float64), reply.usage.prompt_tokens, reply.usage.truncated)
