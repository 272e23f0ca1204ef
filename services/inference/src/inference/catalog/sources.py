"""Where models come from: the forms of `source` in the models file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    model_validator,
)

from contracts.models.catalog import InputType
from contracts.models.tuning import JobId
from inference.catalog.learnt.corrections import Correction
from inference.catalog.learnt.heads import Head
from inference.catalog.learnt.lora import Lora
from inference.catalog.learnt.projections import Projection

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


BRANCH = "main"
"""Of a repository where no revision is named."""


def _inside(path: str) -> str:
    if path.startswith("/") or ".." in path.split("/"):
        raise ValueError("must be a path inside the package")
    return path


Inside = Annotated[str, AfterValidator(_inside)]


class Declared(BaseModel):
    """A part of the models file: what it does not know is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PathSource(Declared):
    """A model folder on this machine, or a GGUF file."""

    path: Path
    sha256: Sha256 | None = None
    """Of a file: it is checked before it is loaded."""


class PackageSource(Declared):
    """A model inside an installed Python package, which is not imported: a folder, or a file that is checked.

    The file is the weights: a GGUF file for engine llamacpp, else in the model's folder.
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


class HubSource(Declared):
    """A model of Hugging Face, downloaded once, if `INFERENCE_ALLOW_DOWNLOADS` says so."""

    huggingface: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*$")]
    revision: Annotated[str, StringConstraints(pattern=r"^\w[\w.-]*$")] = BRANCH
    """A branch, a tag or, so that it is the same for ever, a commit."""
    file: Inside | None = None
    """The one GGUF file that is wanted; of one in parts, the first: its others come with it."""
    sha256: Sha256 | None = None


class InputTypes(Declared):
    """The words of a server for what is embedded: `search_query` and `search_document`, for instance."""

    query: Annotated[str, StringConstraints(min_length=1)]
    passage: Annotated[str, StringConstraints(min_length=1)]

    def of(self, input_type: InputType) -> str:
        """That of one of them."""
        return self.query if input_type == "query" else self.passage


class UpstreamSource(Declared):
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
    input_types: InputTypes | None = None
    """What it calls queries and passages, where it wants to be told; it is sent as `input_type`."""
    ready_path: str | None = "/models"
    """What is asked, below `base_url`, to see that it is up; null for servers that have nothing to ask."""
    metrics_url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s/]+/[^\s]*$")] | None = None
    """vLLM's metrics, from which the length of its own queue is read."""


class Rule(Declared):
    """The scripted engine's answer to a conversation whose text matches a regular expression."""

    when: str
    reply: str


class ScriptSource(Declared):
    """The scripted engine: the first matching rule's reply, else an echo of the last user message."""

    rules: tuple[Rule, ...] = ()
    pace_seconds: Annotated[float, Field(ge=0, le=60)] = 0.0
    """Time between the words of a reply."""
    places: Annotated[int, Field(ge=1, le=10_000)] = 64
    """Replies given at once; more wait in the queue."""


class ChatSource(Declared):
    """A chat model that is asked as judge."""

    chat_model: Annotated[str, StringConstraints(min_length=1)]
    """Its name here; `default` means the default one."""


SAFE, UNSAFE = "safe", "unsafe"
HAZARDS = tuple(f"S{number}" for number in range(1, 15))
"""Of Llama Guard 3. Other versions number other things: what each means is in the declaration's `moderation`."""
GUARD_LABELS = (SAFE, UNSAFE, *HAZARDS)
"""Of a chat model that judges texts as Llama Guard does."""


class JobSource(Declared):
    """An adapter that a tuning job has made, whose bytes the lab has put beside the declarations."""

    job: JobId
    sha256: Sha256


class HeadSource(Declared):
    """A head that stands in its declaration: it is where the declaration is, on every replica and in every backup."""

    head: Head


class ProjectionSource(Declared):
    """A projection that stands in its declaration, as a head does."""

    projection: Projection


class LoraSource(Declared):
    """What was learnt beside the layers of an embedding model, in its declaration as a head is."""

    lora: Lora


class CorrectionSource(Declared):
    """A correction that stands in its declaration, as a head does."""

    correction: Correction


FORMS = frozenset((
    "<upstream>", "<chat_model>", "<head>", "<projection>", "<lora>", "<correction>", "<package>", "<path>",
    "<huggingface>", "<job>", "<script>",
))  # fmt: skip
"""Names of the forms inside of validation errors."""
_NAMED = {
    "package": "PackageSource",
    "path": "PathSource",
    "huggingface": "HubSource",
    "chat_model": "ChatSource",
    "head": "HeadSource",
    "job": "JobSource",
    "projection": "ProjectionSource",
    "lora": "LoraSource",
    "correction": "CorrectionSource",
}


def _form(source: Any) -> str:
    """Which form a source has, by its keys, so that an error is about that form alone."""
    keys = set(source) if isinstance(source, dict) else {type(source).__name__}
    if keys & {"base_url", "upstream_model", "api_key_env", "UpstreamSource"}:
        return "<upstream>"
    for form in _NAMED:
        if form in keys or _NAMED[form] in keys:
            return f"<{form}>"
    return "<script>"


Source = Annotated[
    Annotated[UpstreamSource, Tag("<upstream>")]
    | Annotated[PackageSource, Tag("<package>")]
    | Annotated[PathSource, Tag("<path>")]
    | Annotated[HubSource, Tag("<huggingface>")]
    | Annotated[ChatSource, Tag("<chat_model>")]
    | Annotated[HeadSource, Tag("<head>")]
    | Annotated[ProjectionSource, Tag("<projection>")]
    | Annotated[LoraSource, Tag("<lora>")]
    | Annotated[CorrectionSource, Tag("<correction>")]
    | Annotated[ScriptSource, Tag("<script>")],
    Discriminator(_form),
]


GgufSource = Annotated[
    Annotated[PackageSource, Tag("<package>")]
    | Annotated[PathSource, Tag("<path>")]
    | Annotated[HubSource, Tag("<huggingface>")],
    Discriminator(_form),
]
"""Where one GGUF file comes from."""
AdapterSource = Annotated[
    Annotated[PackageSource, Tag("<package>")]
    | Annotated[PathSource, Tag("<path>")]
    | Annotated[HubSource, Tag("<huggingface>")]
    | Annotated[JobSource, Tag("<job>")],
    Discriminator(_form),
]
"""And an adapter's."""


def gguf_problem(source: Declared) -> str | None:
    """Why a source names no single GGUF file; None where it does."""
    if isinstance(source, JobSource):
        return None
    if isinstance(source, PathSource):
        return None if source.path.suffix == ".gguf" else "path must be a .gguf file"
    if not isinstance(source, PackageSource | HubSource):
        return "it must have path, package or huggingface"
    if source.file is None or not source.file.endswith(".gguf"):
        return "file must be given, and be a .gguf file"
    return None
