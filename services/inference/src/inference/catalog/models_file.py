"""The models file: which models there are, declared once, and checked before anything is loaded."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    ValidationError,
    model_validator,
)

from contracts.access.keys import Limits
from contracts.models.catalog import ModelPrice, ToolProtocol

Kind = Literal["chat", "embedding", "rerank"]
Engine = Literal["transformers", "sentence-transformers", "openai", "scripted"]
ENGINES_OF: dict[Kind, frozenset[Engine]] = {
    "chat": frozenset(("transformers", "openai", "scripted")),
    "embedding": frozenset(("sentence-transformers", "openai", "scripted")),
    "rerank": frozenset(("sentence-transformers", "openai", "scripted")),
}


Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


def _inside(path: str) -> str:
    if path.startswith("/") or ".." in path.split("/"):
        raise ValueError("must be a path inside the package")
    return path


Inside = Annotated[str, AfterValidator(_inside)]


class _Declared(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PathSource(_Declared):
    """A model folder on this machine."""

    path: Path


class PackageSource(_Declared):
    """A model inside an installed Python package, which is not imported: a folder, or a file that is checked.

    The file is the weights: the model's folder is the one that it lies in, or, for a GGUF file of a chat model, what
    it is converted to.
    """

    package: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
    folder: Inside = "."
    file: Inside | None = None
    sha256: Sha256 | None = None

    @model_validator(mode="after")
    def _checked(self) -> PackageSource:
        if (self.file is None) != (self.sha256 is None):
            raise ValueError("file and sha256 go together: a file is always checked")
        return self


class HubSource(_Declared):
    """A model of Hugging Face, downloaded once, if `INFERENCE_ALLOW_DOWNLOADS` says so."""

    huggingface: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*$")]
    revision: Annotated[str, StringConstraints(pattern=r"^[\w.-]+$")] = "main"
    """A branch, a tag or, so that it is the same for ever, a commit."""


class PackagedSource(_Declared):
    """A model that set-up converted (`python -m inference.catalog.packages`)."""

    packaged: str


class UpstreamSource(_Declared):
    """A server that speaks OpenAI's API. `base_url` ends before `/chat/completions`, usually in `/v1`."""

    base_url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s/]+")]
    upstream_model: Annotated[str, StringConstraints(min_length=1)]
    api_key_env: str | None = None
    """Name of the environment variable that holds the key; none for servers without one."""
    stream_usage: bool = True
    """Whether it understands `stream_options.include_usage`."""
    max_tokens_as: Literal["max_tokens", "max_completion_tokens"] | None = None
    """The one name that it has for the length of an answer; None for servers that take both."""
    encoding_format: Literal["base64", "float"] = "base64"
    """How it is asked for embeddings."""
    send_dimensions: bool = False
    """Whether it is asked for embeddings of `dimensions`, for models that can give several lengths."""
    ready_path: str | None = "/models"
    """What is asked, below `base_url`, to see that it is up; null for servers that have nothing to ask."""
    metrics_url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s/]+/[^\s]*$")] | None = None
    """vLLM's metrics, from which the length of its own queue is read."""


class Queue(_Declared):
    """How much of a model may be asked at once. What is left out is as the settings say."""

    at_once: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Calls that the engine works on; more wait. In-process chat answers one at a time: there it can't be more."""
    waiting: Annotated[int, Field(ge=0, le=10_000)] | None = None
    """Calls that may wait; more are refused."""
    waiting_tokens: Annotated[int, Field(ge=1)] | None = None
    """Tokens that those may have together, prompts and answers."""
    engine_waiting: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Calls that may wait inside the server; while they do, more are refused. Needs `metrics_url`."""


class VllmOptions(_Declared):
    """How vLLM serves the model: read by `deploy/vllm/serve.py`, which starts it."""

    model: str | None = None
    """What it loads, if that has another name than `upstream_model`: a folder or a Hugging Face id."""
    tool_parser: Annotated[str, StringConstraints(pattern=r"^[\w.-]+$")] | None = None
    """How the model writes tool calls; needed for `tool_choice: auto`."""
    reasoning_parser: Annotated[str, StringConstraints(pattern=r"^[\w.-]+$")] | None = None
    """How the model marks its reasoning, which is then given apart."""
    arguments: tuple[str, ...] = ()
    """Further arguments, each as on the command line."""


class Rule(_Declared):
    """The scripted engine's answer to a conversation whose text matches a regular expression."""

    when: str
    reply: str


class ScriptSource(_Declared):
    """The scripted engine: the first matching rule's reply, else an echo of the last user message."""

    rules: tuple[Rule, ...] = ()
    pace_seconds: Annotated[float, Field(ge=0, le=60)] = 0.0
    """Time between the words of a reply."""
    places: Annotated[int, Field(ge=1, le=10_000)] = 64
    """Replies given at once; more wait in the queue."""


_FOLDERS: tuple[tuple[type[_Declared], ...], str] = (
    (PathSource, PackageSource, PackagedSource, HubSource),
    "path, package, packaged or huggingface",
)
_SOURCES: dict[Engine, tuple[tuple[type[_Declared], ...], str]] = {
    "openai": ((UpstreamSource,), "base_url and upstream_model"),
    "scripted": ((ScriptSource,), "rules, or nothing"),
}
_FORMS = frozenset(("<upstream>", "<packaged>", "<package>", "<path>", "<huggingface>", "<script>"))


_NAMED = {
    "packaged": "PackagedSource",
    "package": "PackageSource",
    "path": "PathSource",
    "huggingface": "HubSource",
}


def _form(source: Any) -> str:
    """Which form a source has, by its keys, so that an error is about that form alone."""
    keys = set(source) if isinstance(source, dict) else {type(source).__name__}
    if keys & {"base_url", "upstream_model", "api_key_env", "UpstreamSource"}:
        return "<upstream>"
    for form in ("packaged", "package", "path", "huggingface"):
        if form in keys or _NAMED[form] in keys:
            return f"<{form}>"
    return "<script>"


Source = Annotated[
    Annotated[UpstreamSource, Tag("<upstream>")]
    | Annotated[PackagedSource, Tag("<packaged>")]
    | Annotated[PackageSource, Tag("<package>")]
    | Annotated[PathSource, Tag("<path>")]
    | Annotated[HubSource, Tag("<huggingface>")]
    | Annotated[ScriptSource, Tag("<script>")],
    Discriminator(_form),
]


class GpuPrice(_Declared):
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


class Model(_Declared):
    """One model. `context_length` is what a chat model reads and writes together; `max_input_tokens` is what an
    embedding or rerank model reads of one input.
    """

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
    kind: Kind
    engine: Engine
    source: Source = ScriptSource()
    context_length: Annotated[int, Field(ge=16)] | None = None
    max_input_tokens: Annotated[int, Field(ge=16)] | None = None
    dimensions: Annotated[int, Field(ge=1)] | None = None
    tokenizer: Path | None = None
    """A `tokenizer.json` for an upstream model, so that others can count its tokens."""
    tool_protocol: ToolProtocol | None = None
    """How a chat model calls tools. Unsaid, an upstream is `native` and what runs in this process `constrained`."""
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
    default: bool = False
    packaged: bool = False

    @property
    def is_remote(self) -> bool:
        """Whether a server computes it, to which what this service does not know goes; else this process does."""
        return isinstance(self.source, UpstreamSource)

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

    @model_validator(mode="after")
    def _fits_together(self) -> Model:
        if self.engine not in ENGINES_OF[self.kind]:
            raise ValueError(f"engine {self.engine} can't serve {self.kind}; use {_either(ENGINES_OF[self.kind])}")
        forms, words = _SOURCES.get(self.engine, _FOLDERS)
        if not isinstance(self.source, forms):
            raise ValueError(f"engine {self.engine} takes a source with {words}")
        if self.tool_protocol and self.kind != "chat":
            raise ValueError("tool_protocol is for models of kind chat")
        if self.tool_protocol == "native" and not self.is_remote:
            raise ValueError(f"engine {self.engine} calls tools by guided decoding: tool_protocol must be constrained")
        needed = {"chat": ("context_length",), "embedding": ("max_input_tokens", "dimensions"), "rerank": ()}[self.kind]
        missing = [name for name in needed if getattr(self, name) is None]
        if missing:
            raise ValueError(f"a model of kind {self.kind} needs {' and '.join(missing)}")
        self._check_upstream()
        self._check_queue()
        return self

    def _check_upstream(self) -> None:
        if self.vllm is not None and not self.is_remote:
            raise ValueError("vllm is for engine openai: it says how the server behind the model is started")
        measured = isinstance(self.source, UpstreamSource) and self.source.metrics_url is not None
        if self.queue.engine_waiting is not None and not measured:
            raise ValueError("queue.engine_waiting needs source.metrics_url, where the server says how many wait")
        if self.quantization is not None and self.engine == "scripted":
            raise ValueError("the scripted engine has no weights to quantize")

    def _check_queue(self) -> None:
        """Nothing may be declared that would have no effect."""
        queue = self.queue
        if self.engine == "transformers" and (queue.at_once or 1) > 1:
            raise ValueError(
                "queue.at_once must be 1 for engine transformers, which answers one call at a time; more wait in its "
                "queue (queue.waiting). Serve the model by vLLM to answer several at once"
            )
        calls = queue.at_once is not None or queue.waiting is not None
        if self.kind == "embedding" and not self.is_remote and calls:
            raise ValueError(
                "queue.at_once and queue.waiting are not for embeddings in this process, whose texts are batched over "
                "all calls; queue.waiting_tokens bounds them"
            )
        if self.kind == "rerank" and self.engine == "scripted" and (calls or queue.waiting_tokens is not None):
            raise ValueError("the scripted reranker answers at once and has no queue")


class ModelCatalog(_Declared):
    """All models. Names are unique, and each kind has at most one default."""

    models: Annotated[tuple[Model, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _consistent(self) -> ModelCatalog:
        names = [model.name for model in self.models]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"the name {twice[0]} is declared twice")
        if "default" in names:
            raise ValueError("no model may be called default: that word means the default of its kind")
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
    where = [str(part) for part in first["loc"] if part not in _FORMS]
    if len(where) > 1 and where[0] == "models" and where[1].isdigit():
        declared = content["models"][int(where[1])]
        name = declared.get("name") if isinstance(declared, dict) else None
        where[1] = f"{where[1]} ({name})" if name else where[1]
    message = first["msg"].removeprefix("Value error, ")
    return f"{'.'.join(where) or 'models'}: {message}. deploy/config/models.yaml shows every key."


def _either(names: frozenset[Engine]) -> str:
    return " or ".join(sorted(names))
