"""How vLLM serves a model of the engine `openai`: read by `deploy/vllm/serve.py`, which starts it."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from inference.catalog.sources import Declared, GgufSource, JobSource, PathSource, gguf_problem

PART_OF_SEVERAL = re.compile(r"-\d{5}-of-\d{5}\.gguf$")


class VllmLora(Declared):
    """That the model can be tuned, and what was learnt served beside it while vLLM runs."""

    weights: GgufSource
    """The same model as one GGUF file, which tuning jobs learn on: vLLM's own folder is not read here."""
    rank: Literal[8, 16, 32, 64, 128, 256] = 16
    """The largest rank of an adapter that vLLM takes."""
    at_once: Annotated[int, Field(ge=1, le=256)] = 4
    """Adapters that one batch may have; vLLM reads others again from their folders when they are asked."""

    @model_validator(mode="after")
    def _is_a_file(self) -> VllmLora:
        if (problem := gguf_problem(self.weights)) is not None:
            raise ValueError(f"weights: {problem}")
        source = self.weights
        if PART_OF_SEVERAL.search(source.path.name if isinstance(source, PathSource) else source.file or ""):
            raise ValueError("weights: it is one of several parts, and tuning takes one file: llama-gguf-split --merge")
        return self


class VllmOptions(Declared):
    """How vLLM serves the model."""

    model: str | None = None
    """What it loads, if that has another name than `upstream_model`: a folder or a Hugging Face id."""
    tool_parser: Annotated[str, StringConstraints(pattern=r"^[\w.-]+$")] | None = None
    """How the model writes tool calls; needed for `tool_choice: auto`."""
    reasoning_parser: Annotated[str, StringConstraints(pattern=r"^[\w.-]+$")] | None = None
    """How the model marks its reasoning, which is then given apart."""
    arguments: tuple[str, ...] = ()
    """Further arguments, each as on the command line."""
    lora: VllmLora | None = None
    adapter: JobSource | None = None
    """What a tuning job has learnt: it is loaded into the running vLLM, and asked in the model's place."""

    @property
    def adapter_name(self) -> str | None:
        """What the adapter is called in vLLM: the same for the same bytes, whichever model has them."""
        return None if self.adapter is None else f"groundwork-{self.adapter.sha256[:32]}"
