"""Engines whose encoders run in this process: an embedding model folder's, a scripted one, or one of an embedding or a
reading model with what was learnt beside its layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from inference.catalog.learnt.lora import Lora
from inference.catalog.model_folders import ModelSources
from inference.catalog.models_file import Model
from inference.catalog.sources import CorrectionSource, LoraSource, ScriptSource
from inference.engines.batched.embedding import BatchedEmbedding
from inference.engines.batched.worker_pool import WorkerPoolLimits
from inference.engines.scripted.vectors import ScriptedEncoder
from inference.engines.sentence_transformers.models import SentenceEncoder
from inference.engines.sentence_transformers.reading import FolderReading
from inference.engines.wrappers.on_demand import OnDemandEmbedding, OnDemandReading
from inference.engines.wrappers.places import Places
from inference.errors import CannotLoad
from inference.protocol.engines import EmbeddingEngine, Encoder
from inference.serving import composed
from inference.serving.models import ServedModels
from inference.settings import InferenceSettings


@dataclass(frozen=True, slots=True)
class EncoderEngines:
    """Makes them."""

    settings: InferenceSettings
    sources: ModelSources
    models: Callable[[], ServedModels]
    places: Places
    """Of encoders with something learnt in them."""

    def embedding(self, model: Model, liveness: dict[str, Any]) -> EmbeddingEngine:
        """The engine that a declaration asks for."""
        source = model.source
        if isinstance(source, LoraSource):
            below = partial(self._below, "embedding", source.lora.embedding_model)
            encoder = self._encoder(model, lambda: self.sources.folder(below()), source.lora)
            inner = OnDemandEmbedding(
                model.name,
                self._batched(model, encoder, liveness),
                check=lambda: self.sources.check(below()),
                places=self.places,
                tenant=model.tenant,
            )
            return composed.lora(model, self.models, inner)
        if isinstance(source, ScriptSource):
            scripted = ScriptedEncoder(model.dimensions or 0, model.max_input_tokens or 0)
            return self._batched(model, scripted, liveness)
        return self._batched(model, self._encoder(model, lambda: self.sources.folder(model)), liveness)

    def reading(self, model: Model, options: Mapping[str, Any]) -> OnDemandReading | None:
        """The encoder of a correction that has learnt beside its layers, too, else none; `options` are those of
        `FolderReading`. A candidate's is in float32, so that the job that made it can tell whether it has all that was
        learnt: bfloat16 moves more than a matrix does. Once it is published, opening it compares both."""
        source = model.source
        if not isinstance(source, CorrectionSource) or source.correction.lora is None:
            return None
        below = partial(self._below, "reading", source.correction.reading_model)
        chosen = {**options, "locate": lambda: self.sources.folder(below()), "lora": source.correction.lora}
        if model.tuned is not None and model.tuned.stage == "candidate":
            chosen["precision"] = "float32"
        return OnDemandReading(
            model.name,
            FolderReading(**chosen),
            check=lambda: self.sources.check(below()),
            places=self.places,
            tenant=model.tenant,
        )

    def _below(self, kind: Literal["embedding", "reading"], name: str) -> Model:
        """The declaration of the model that something was learnt on; raises `CannotLoad`."""
        models = self.models()
        model = models.embedding(name).model if kind == "embedding" else models.reading(name).model
        if model.engine != "sentence-transformers":
            raise CannotLoad(f"its {kind} model {name} has no encoder here: it is of engine {model.engine}")
        return model

    def _encoder(self, model: Model, locate: Callable[[], Path], lora: Lora | None = None) -> SentenceEncoder:
        return SentenceEncoder(
            locate,
            dimensions=model.dimensions or 0,
            max_input_tokens=model.max_input_tokens or 0,
            precision=self.settings.precision,
            lora=lora,
        )

    def _batched(self, model: Model, encoder: Encoder, liveness: dict[str, Any]) -> BatchedEmbedding:
        settings = self.settings
        return BatchedEmbedding(
            model.name,
            encoder,
            dimensions=model.dimensions or 0,
            max_input_tokens=model.max_input_tokens or 0,
            limits=WorkerPoolLimits(
                workers=settings.threads,
                batch_tokens=settings.batch_tokens,
                batch_seconds=settings.batch_seconds,
                waiting_tokens=model.queue.waiting_tokens or settings.waiting_tokens,
                **liveness,
            ),
        )
