"""The models file: which models there are, declared once, and checked before anything is loaded."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BeforeValidator, Field, StringConstraints, ValidationError, model_validator

from contracts.access.keys import Limits
from contracts.core.base import Name
from contracts.core.validation import what_is_wrong
from contracts.models.catalog import ModelPrice, ToolProtocol
from contracts.models.classification import ModerationRules
from contracts.models.reading import Languages
from contracts.models.tuning import TunedFrom
from inference.catalog.llama_options import GenerationDefaults, LlamaOptions
from inference.catalog.sources import (
    FORMS,
    GUARD_LABELS,
    ChatSource,
    CorrectionSource,
    Declared,
    HeadSource,
    HubSource,
    InputTypes,
    JobSource,
    LoraSource,
    PackageSource,
    PathSource,
    ProjectionSource,
    ScriptSource,
    Source,
    UpstreamSource,
    gguf_problem,
)
from inference.catalog.vllm_options import VllmOptions
from inference.protocol.prefixes import Prefixes

Kind = Literal["chat", "embedding", "rerank", "reading", "classification"]
Engine = Literal[
    "sentence-transformers", "llamacpp", "openai", "judge", "head", "projection", "lora", "correction", "scripted"
]
ENGINES_OF: dict[Kind, frozenset[Engine]] = {
    "chat": frozenset(("llamacpp", "openai", "scripted")),
    "embedding": frozenset(("sentence-transformers", "openai", "projection", "lora", "scripted")),
    "rerank": frozenset(("sentence-transformers", "openai", "correction", "scripted")),
    "reading": frozenset(("sentence-transformers", "judge", "correction", "scripted")),
    "classification": frozenset(("head", "judge")),
}
RESERVED = {
    "default": "that word means the default of its kind",
    "pull": "/v1/models/pull is where models are fetched",
}


class Queue(Declared):
    """How much of a model may be asked at once. What is left out is as the settings say."""

    at_once: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Calls that the engine works on; more wait. For llama.cpp it is the number of its slots, each with memory for a
    whole context."""
    waiting: Annotated[int, Field(ge=0, le=10_000)] | None = None
    """Calls that may wait; more are refused."""
    waiting_tokens: Annotated[int, Field(ge=1)] | None = None
    """Tokens that those may have together, prompts and answers."""
    engine_waiting: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Calls that may wait inside the server; while they do, more are refused. Needs `metrics_url`."""


_FOLDERS: tuple[tuple[type[Declared], ...], str] = (
    (PathSource, PackageSource, HubSource),
    "path, package or huggingface",
)
_SOURCES: dict[Engine, tuple[tuple[type[Declared], ...], str]] = {
    "llamacpp": ((PathSource, PackageSource, HubSource), "path, package and file, or huggingface and file"),
    "openai": ((UpstreamSource,), "base_url and upstream_model"),
    "judge": ((ChatSource,), "chat_model"),
    "head": ((HeadSource, PathSource), "head, or the path of a JSON file with one"),
    "projection": ((ProjectionSource,), "projection, which a tuning job has learnt"),
    "lora": ((LoraSource,), "lora, which a tuning job has learnt"),
    "correction": ((CorrectionSource,), "correction, which a tuning job has learnt"),
    "scripted": ((ScriptSource,), "rules, or nothing"),
}


class GpuPrice(Declared):
    """What a model on GPUs of one's own costs: their hour, shared by the tokens that they read and write in one."""

    gpu_hour_usd: Annotated[Decimal, Field(ge=0)]
    gpus: Annotated[int, Field(ge=1)] = 1
    tokens_per_hour: Annotated[int, Field(ge=1)]
    """Of all these GPUs together, at the load that they usually have."""

    def per_token(self) -> ModelPrice:
        """As a price of tokens."""
        million = self.gpu_hour_usd * self.gpus * 1_000_000 / self.tokens_per_hour
        return ModelPrice(prompt_usd_per_million=million, completion_usd_per_million=million)


def _per_token(price: Any) -> Any:
    """A price by the GPU hour as one of tokens; everything else as it is."""
    if isinstance(price, dict) and "gpu_hour_usd" in price:
        return GpuPrice.model_validate(price).per_token()
    return price


def _not_transformers(engine: Any) -> Any:
    """An engine that there was once."""
    if engine == "transformers":
        raise ValueError(
            "engine transformers is no more. For the packaged model copy the entry smollm2 of "
            "deploy/config/models.yaml; for another write `engine: llamacpp` and `source: {path: m.gguf}` with a GGUF "
            "file of it, or serve its folder by vLLM and write `engine: openai` with the base_url and upstream_model "
            "of the server"
        )
    return engine


class Model(Declared):
    """One model. `context_length` is what a chat model reads and writes together; `max_input_tokens` is what an
    embedding, rerank or reading model reads of one input.
    """

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}$")]
    kind: Kind
    engine: Annotated[Engine, BeforeValidator(_not_transformers)]
    source: Source = ScriptSource()
    context_length: Annotated[int, Field(ge=16)] | None = None
    max_input_tokens: Annotated[int, Field(ge=16)] | None = None
    dimensions: Annotated[int, Field(ge=1)] | None = None
    prefixes: Prefixes | None = None
    """Of an embedding model. Unsaid, those that a sentence-transformers folder names (`prompts`), else none."""
    languages: Languages | None = None
    """What an embedding or reading model reads well. A collection whose model is `auto` gets one that says it reads its
    language, and a reading model is not asked of texts in others."""
    alone: bool | None = None
    """Whether a reading model's chances count by themselves, without the say of rules. Unsaid, a judge's do."""
    unrelated_cosine: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """What an embedding model gives most texts that have nothing to do with each other. Search counts from there."""
    load: Literal["at_start", "when_used"] = "at_start"
    """`when_used`: an embedding model of this process takes memory from the first call of it on."""
    tokenizer: Path | None = None
    """A `tokenizer.json` for an upstream model, so that others can count its tokens."""
    tool_protocol: ToolProtocol | None = None
    """How a chat model calls tools. Unsaid, an upstream is `native` and others are `constrained`."""
    images: bool | None = None
    """Whether a chat model reads pictures. Unsaid, a GGUF file with `llamacpp.mmproj` does, and of others it is not
    known; then answers from documents refuse them."""
    probe_seconds: Annotated[float, Field(gt=0)] | None = None
    """How long an answer proves that it lives; then it is asked for one token. Unsaid, INFERENCE_PROBE_SECONDS, of
    a paid one INFERENCE_PAID_PROBE_SECONDS."""
    price: Annotated[ModelPrice | None, BeforeValidator(_per_token)] = None
    limits: Limits | None = None
    """What holds for all callers together."""
    quantization: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{1,40}$")] | None = None
    """How the weights are quantized, in vLLM's words. vLLM is started with it; of a model in this process it is checked
    that its folder says the same."""
    queue: Queue = Queue()
    vllm: VllmOptions | None = None
    llamacpp: LlamaOptions = LlamaOptions()
    generation: GenerationDefaults = GenerationDefaults()
    """What holds where a request says nothing else; of engine llamacpp."""
    moderation: ModerationRules | None = None
    """Of a classification model: which of its labels are which category of `POST /v1/moderations`."""
    tenant: Name | None = None
    """Whose keys alone may see and ask it; unsaid, everybody's."""
    tuned: TunedFrom | None = None
    """Of a model that a tuning job has published: no declaration by hand says it."""
    default: bool = False
    packaged: bool = False

    @property
    def is_remote(self) -> bool:
        """Whether a server computes it, to which what this service does not know goes; else this process does."""
        return isinstance(self.source, UpstreamSource)

    @property
    def is_light(self) -> bool:
        """Whether nothing of weight is loaded for it: a server has it, or another model works for it."""
        return self.is_remote or self.engine in ("head", "judge", "projection", "correction")

    @property
    def learnt(self) -> tuple[JobSource, ...]:
        """What tuning jobs have learnt that it is served with, and whose bytes lie beside the declarations."""
        on_vllm = [self.vllm.adapter] if self.vllm is not None and self.vllm.adapter is not None else []
        here = [adapter.source for adapter in self.llamacpp.adapters]
        return tuple(source for source in (*here, *on_vllm) if isinstance(source, JobSource))

    @property
    def adapter(self) -> str | None:
        """What its adapters are called, as a header can say it; null without any."""
        if self.vllm is not None and self.vllm.adapter is not None:
            return self.vllm.adapter.job
        return self.llamacpp.adapter

    @property
    def input_types(self) -> InputTypes | None:
        """What a server calls queries and passages, if it is to be told."""
        return self.source.input_types if isinstance(self.source, UpstreamSource) else None

    @property
    def is_paid(self) -> bool:
        """Whether each question seems to cost something: it has a price, and a server behind https."""
        if self.price is None or not isinstance(self.source, UpstreamSource):
            return False
        rates = (self.price.prompt_usd_per_million, self.price.completion_usd_per_million)
        return any(rates) and self.source.base_url.startswith("https:")

    @property
    def tools_by(self) -> ToolProtocol | None:
        """The tool protocol, said or not; None for what does not chat."""
        if self.kind != "chat":
            return None
        return self.tool_protocol or ("native" if self.is_remote else "constrained")

    @property
    def reads_alone(self) -> bool:
        """Whether a reading model's chances count by themselves, said or not."""
        return self.engine == "judge" if self.alone is None else self.alone

    @property
    def reads_images(self) -> bool | None:
        """Whether it reads pictures, said or not; None where it is not known."""
        return self.images if self.images is not None or self.llamacpp.mmproj is None else True

    @model_validator(mode="after")
    def _fits_together(self) -> Model:
        if self.engine not in ENGINES_OF[self.kind]:
            raise ValueError(f"engine {self.engine} can't serve {self.kind}; use {_either(ENGINES_OF[self.kind])}")
        forms, words = _SOURCES.get(self.engine, _FOLDERS)
        if not isinstance(self.source, forms):
            raise ValueError(f"engine {self.engine} takes a source with {words}")
        if self.tool_protocol and self.kind != "chat":
            raise ValueError("tool_protocol is for models of kind chat")
        if self.images is not None and self.kind != "chat":
            raise ValueError("images is for models of kind chat")
        if self.tool_protocol == "native" and not (self.is_remote or self.engine == "llamacpp"):
            raise ValueError(f"engine {self.engine} is held to the form of calls: tool_protocol must be constrained")
        needed = {
            "chat": ("context_length",),
            "embedding": ("max_input_tokens", "dimensions"),
            "rerank": (),
            "reading": (),
            "classification": (),
        }[self.kind]
        missing = [name for name in needed if getattr(self, name) is None]
        if missing:
            raise ValueError(f"a model of kind {self.kind} needs {' and '.join(missing)}")
        if self.tenant is not None and self.default:
            raise ValueError("default: a tenant's own model can't be everybody's default")
        self._check_upstream()
        self._check_files()
        self._check_queue()
        self._check_embedding()
        self._check_moderation()
        return self

    def _check_upstream(self) -> None:
        if self.vllm is not None and not self.is_remote:
            raise ValueError("vllm is for engine openai: it says how the server behind the model is started")
        if self.vllm is not None and (self.vllm.lora or self.vllm.adapter) and self.kind != "chat":
            raise ValueError("vllm.lora is for models of kind chat")
        if self.vllm is not None and self.vllm.lora is not None and self.tokenizer is None:
            raise ValueError(
                "vllm.lora needs tokenizer, the tokenizer.json of what vLLM loads: answers are learnt by it"
            )
        measured = isinstance(self.source, UpstreamSource) and self.source.metrics_url is not None
        if self.queue.engine_waiting is not None and not measured:
            raise ValueError("queue.engine_waiting needs source.metrics_url, where the server says how many wait")
        if self.quantization is not None and self.engine == "scripted":
            raise ValueError("the scripted engine has no weights to quantize")

    def _check_files(self) -> None:
        """GGUF files are for llama.cpp, and its options, too."""
        if self.engine == "llamacpp":
            if (problem := gguf_problem(self.source)) is not None:
                raise ValueError(f"source: {problem}")
            if self.quantization is not None:
                raise ValueError("quantization is not for engine llamacpp: a GGUF file says it itself")
            return
        for name in ("llamacpp", "generation"):
            if name in self.model_fields_set:
                raise ValueError(f"{name} is for engine llamacpp")
        source = self.source
        if isinstance(source, PathSource | HubSource) and source.model_fields_set & {"file", "sha256"}:
            raise ValueError("file and sha256 of a source with path or huggingface are for engine llamacpp")

    def _check_embedding(self) -> None:
        for name in ("prefixes", "unrelated_cosine", "load"):
            if name in self.model_fields_set and self.kind != "embedding":
                raise ValueError(f"{name} is for models of kind embedding")
        if self.alone is not None and self.kind != "reading":
            raise ValueError("alone is for models of kind reading")
        if "languages" in self.model_fields_set and self.kind not in ("embedding", "reading"):
            raise ValueError("languages is for models of kind embedding or reading")
        if self.load == "when_used" and self.is_remote:
            raise ValueError("load is for models that run in this process; a server loads its own")
        self._check_projection()

    def _check_projection(self) -> None:
        """What its embedding model has, it has."""
        if not isinstance(self.source, ProjectionSource | LoraSource):
            return
        if said := {"prefixes", "load"} & self.model_fields_set:
            raise ValueError(f"{min(said)} is the embedding model's, on which this was learnt")
        learnt = self.source.projection if isinstance(self.source, ProjectionSource) else self.source.lora
        if self.dimensions != (given := learnt.dimensions):
            raise ValueError(f"dimensions: the {self.engine} was learnt on vectors of {given} numbers")

    def _check_moderation(self) -> None:
        """A label that is misspelt would let through what it is for. Of a head in a file the gateway sees to it."""
        if self.moderation is None:
            return
        if self.kind != "classification":
            raise ValueError("moderation is for models of kind classification")
        labels = self.source.head.labels if isinstance(self.source, HeadSource) else GUARD_LABELS
        unknown = [label for label in self.moderation.categories if label not in labels]
        if unknown and not isinstance(self.source, PathSource):
            raise ValueError(
                f"moderation.categories: the model has no label '{unknown[0]}'; it has {', '.join(labels)[:500]}"
            )

    def _check_queue(self) -> None:
        """Nothing may be declared that would have no effect."""
        queue = self.queue
        calls = queue.at_once is not None or queue.waiting is not None
        if self.kind == "embedding" and not self.is_remote and calls:
            raise ValueError(
                "queue.at_once and queue.waiting are not for embeddings in this process, whose texts are batched over "
                "all calls; queue.waiting_tokens bounds them"
            )
        queued = calls or queue.waiting_tokens is not None
        if self.kind in ("rerank", "reading") and self.engine == "scripted" and queued:
            raise ValueError(f"the scripted engine of {self.kind} answers at once and has no queue")
        if self.engine in ("judge", "head", "projection", "correction") and queued:
            others = {"correction": "reading"}
            asked = "chat" if isinstance(self.source, ChatSource) else others.get(self.engine, "embedding")
            raise ValueError(f"a {self.engine} has the queue of its {asked} model: declare it there")


class ModelCatalog(Declared):
    """All models. Names are unique, and each kind has at most one default."""

    models: Annotated[tuple[Model, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _consistent(self) -> ModelCatalog:
        names = [model.name for model in self.models]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"the name {twice[0]} is declared twice")
        for name in RESERVED.keys() & set(names):
            raise ValueError(f"no model may be called {name}: {RESERVED[name]}")
        for kind in ENGINES_OF:
            if sum(model.default for model in self.models if model.kind == kind) > 1:
                raise ValueError(f"two models of kind {kind} are the default; leave one")
        return self


class ModelsFileInvalid(Exception):
    """The models file can't be used; the message names the file, the key and what to do."""


def load_models_file(path: Path) -> ModelCatalog:
    """Read a models file; raises `ModelsFileInvalid`."""
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelsFileInvalid(
            f"{path} can't be read ({error.strerror}). Set INFERENCE_MODELS_FILE to the file that declares the models."
        ) from None
    except yaml.YAMLError as error:
        raise ModelsFileInvalid(f"{path} is not valid YAML: {str(error).replace(chr(10), ' ')}") from None
    if not isinstance(content, dict):
        raise ModelsFileInvalid(f"{path} must start with `models:` and a list of models.")
    try:
        return ModelCatalog.model_validate(content)
    except ValidationError as error:
        raise ModelsFileInvalid(f"{path}: {_first_error(error, content)}") from None


def _first_error(error: ValidationError, content: dict[str, Any]) -> str:
    first = error.errors()[0]
    where = [str(part) for part in first["loc"] if part not in FORMS]
    if len(where) > 1 and where[0] == "models" and where[1].isdigit():
        declared = content["models"][int(where[1])]
        name = declared.get("name") if isinstance(declared, dict) else None
        where[1] = f"{where[1]} ({name})" if name else where[1]
    message = what_is_wrong(first)
    return f"{'.'.join(where) or 'models'}: {message}. deploy/config/models.yaml shows every key."


def _either(names: frozenset[Engine]) -> str:
    return " or ".join(sorted(names))
