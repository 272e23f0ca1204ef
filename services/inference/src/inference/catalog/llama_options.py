"""What a model of the engine `llamacpp` may say beside its file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from inference.catalog.sources import (
    AdapterSource,
    Declared,
    GgufSource,
    HubSource,
    JobSource,
    PathSource,
    gguf_problem,
)

MOST_NAME = 200
WEEK = 7 * 24 * 3600


class Adapter(Declared):
    """A LoRA adapter in GGUF, applied to every answer."""

    source: AdapterSource
    scale: Annotated[float, Field(ge=-10, le=10)] = 1.0

    @property
    def name(self) -> str:
        """Its file's name without the ending, of the Hub with its repository's before it."""
        source = self.source
        if isinstance(source, JobSource):
            return source.job
        file = source.path.stem if isinstance(source, PathSource) else Path(source.file or "").stem
        return f"{source.huggingface}/{file}" if isinstance(source, HubSource) else file


class LlamaOptions(Declared):
    """How llama.cpp loads and runs a model."""

    threads: Annotated[int, Field(ge=1, le=256)] | None = None
    """Cores; unsaid, INFERENCE_THREADS."""
    gpu_layers: Annotated[int, Field(ge=0, le=10_000)] | None = None
    """Layers on the GPU of a build that has one; unsaid, as many as fit."""
    memory_mb: Annotated[int, Field(ge=64)] | None = None
    """What its process may use; beyond it, it is started anew. Unsaid, what the model needs by its file and half
    more."""
    idle_seconds: Annotated[int, Field(ge=0, le=WEEK)] | None = None
    """How long nobody asks it until it sleeps: its process ends, and the next call starts it again. Unsaid or 0, it
    never does."""
    mmproj: GgufSource | None = None
    """The projector of a model that sees pictures."""
    adapters: tuple[Adapter, ...] = ()

    @property
    def adapter(self) -> str | None:
        """What its adapters are called, as a header can say it: by file or repository; null without any."""
        applied = [adapter.name for adapter in self.adapters if adapter.scale]
        return "+".join(applied).encode("ascii", "replace").decode()[:MOST_NAME] or None

    @model_validator(mode="after")
    def _are_files(self) -> LlamaOptions:
        named = [("mmproj", self.mmproj), *(("adapters", adapter.source) for adapter in self.adapters)]
        for name, source in named:
            if source is not None and (problem := gguf_problem(source)) is not None:
                raise ValueError(f"{name}: {problem}")
        return self


class GenerationDefaults(Declared):
    """How answers are made where a request says nothing else. What is left out is as the file or llama.cpp says."""

    max_tokens: Annotated[int, Field(ge=1)] | None = None
    """So that a small model does not run on to the end of its context."""
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=0)] | None = None
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    repetition_penalty: Annotated[float, Field(gt=0, le=2)] | None = None
