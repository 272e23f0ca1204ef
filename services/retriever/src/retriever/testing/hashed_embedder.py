"""Embeddings without a model: each word's hash chooses its direction. Texts that share words are near each other.

For tests and trials. Deterministic, and it keeps what it was asked for.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence

from contracts.models.reading import Languages
from retriever.errors import EmbeddingModelUnknown
from retriever.models.protocol import EmbeddingModel, Embeddings, Priority
from retriever.text.bm25 import term_index
from retriever.text.terms import terms
from servicekit.core.errors import ServiceError


class HashedEmbedder:
    """`Embedder` that hashes words into a few dimensions.

    `failure`, if set, is raised instead; `meanwhile`, if set, is awaited first, as things happen while a model works.
    `more` are further models beside the default one; those in `broken` fail.
    """

    def __init__(
        self,
        name: str = "hashed",
        dimensions: int = 64,
        more: Sequence[EmbeddingModel] = (),
        languages: Languages | None = None,
    ) -> None:
        self.served = EmbeddingModel(name, dimensions, 256, languages, is_default=True)
        self.models = {each.name: each for each in (self.served, *more)}
        self.broken: dict[str, ServiceError] = {}
        self.embedded: list[str] = []
        self.failure: ServiceError | None = None
        self.meanwhile: Callable[[], Awaitable[None]] | None = None

    async def get_model(self, name: str, token: str) -> EmbeddingModel:
        """The default model or one by name; raises `EmbeddingModelUnknown` for any other name."""
        await self.probe()
        name = self.served.name if name == "default" else name
        if name not in self.models:
            raise EmbeddingModelUnknown(name, list(self.models))
        return self.models[name]

    async def list_models(self, token: str) -> list[EmbeddingModel]:
        """The default model, then those beside it."""
        await self.probe()
        return list(self.models.values())

    async def embed(self, model: str, texts: Sequence[str], priority: Priority, token: str) -> Embeddings:
        """One unit vector a text; a token is a word, and words beyond `max_input_tokens` are not read."""
        await self.probe()
        if self.meanwhile is not None:
            await self.meanwhile()
        if model in self.broken:
            raise self.broken[model]
        self.embedded.extend(texts)
        chosen = self.models.get(model, self.served)
        words, limit = [text.split() for text in texts], chosen.max_input_tokens
        read = [" ".join(each[:limit]) if len(each) > limit else text for each, text in zip(words, texts, strict=True)]
        tokens = sum(min(len(each), limit) for each in words)
        vectors = [self._vector(text, chosen) for text in read]
        return Embeddings(vectors, tokens, sum(len(each) > limit for each in words))

    async def probe(self) -> None:
        """Raise `failure`, if set."""
        if self.failure is not None:
            raise self.failure

    def _vector(self, text: str, model: EmbeddingModel) -> list[float]:
        vector = [0.01 / (at + 1) for at in range(model.dimensions)]
        for term in terms(text):
            vector[term_index(term) % model.dimensions] += 1.0
        length = math.sqrt(sum(value * value for value in vector))
        return [value / length for value in vector]
