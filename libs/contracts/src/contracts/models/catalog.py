"""Models, embeddings and rerank on the wire."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema, model_validator

from contracts.access.keys import Limits
from contracts.core.base import Count, Reply, Request
from contracts.core.values import Passed, Text, unlike
from contracts.models.classification import ModerationRules
from contracts.models.reading import Languages, Reads
from contracts.models.tokens import TokenId, check_texts_or_tokens
from contracts.models.tuning import TunedFrom

ModelKind = Literal["chat", "embedding", "rerank", "reading", "classification", "rag", "agent", "prompt"]
ToolProtocol = Literal["native", "constrained"]
ModelState = Literal["loading", "ready", "not_answering", "failed"]
"""`failed`: it could not be loaded. `not_answering`: it was loaded, and did not answer when it was last asked."""
InputType = Literal["query", "passage"]
"""What a text is to an embedding model: a question, or what may answer one."""
INPUT_TYPES: dict[str, InputType] = {
    "query": "query",
    "search_query": "query",
    "passage": "passage",
    "document": "passage",
    "search_document": "passage",
}
"""As callers and providers write it."""
RAG = "rag:"
"""Begins the name of a model that answers from collections: `rag:a` or `rag:a,b`."""
AGENT = "agent:"
"""Begins the name of a model that is a run of an agent: `agent:helper`."""
MAX_COLLECTIONS = 16
"""Of one such model."""


def rag_collections(model: str) -> list[str]:
    """The collections that a `rag:` model names, each once. They may be too many, or no names at all."""
    return list(dict.fromkeys(name.strip() for name in model.removeprefix(RAG).split(",")))


class PriceTier(Reply):
    """What holds for the whole of a call whose prompt is longer than so many tokens."""

    above_prompt_tokens: Count
    prompt_usd_per_million: Annotated[Decimal, Field(ge=0)]
    completion_usd_per_million: Annotated[Decimal, Field(ge=0)] = Decimal(0)
    cached_prompt_usd_per_million: Annotated[Decimal, Field(ge=0)] | None = None


class ModelPrice(Reply):
    """What a million tokens cost, in US dollars. Zero only where somebody said so."""

    prompt_usd_per_million: Annotated[Decimal, Field(ge=0)]
    completion_usd_per_million: Annotated[Decimal, Field(ge=0)] = Decimal(0)
    cached_prompt_usd_per_million: Annotated[Decimal, Field(ge=0)] | None = None
    """Of those prompt tokens that the upstream had in its cache; null means that they cost what all do."""
    tiers: list[PriceTier] = Field(default_factory=list)
    """Prices of long prompts, the shortest first."""
    training_usd_per_million: Annotated[Decimal, Field(ge=0)] = Decimal(0)
    """Of tokens that a tuning job learns from, each as often as it is read."""


class ModelInfo(Reply):
    """One entry of `GET /v1/models`; OpenAI's fields, then ours."""

    id: str
    object: Literal["model"] = "model"
    created: Count = 0
    """When it was added, in Unix seconds; 0 when nobody knows."""
    owned_by: str = "groundwork"
    root: str | None = None
    """The model that this name stands for, as vLLM says it: itself."""
    max_model_len: Count | None = None
    """`context_length`, as vLLM calls it."""
    kind: ModelKind
    target_kinds: list[ModelKind] | None = None
    """Of a route, the kinds of what answers by it; null for all else."""
    context_length: Count | None = None
    """Tokens that the model reads (chat: prompt and answer together)."""
    answer_tokens: Count | None = None
    """How long a chat model's answer is at most where nobody says how long it may be; null where nobody has said so."""
    input_tokens_per_second: float | None = None
    """How fast a chat model read its latest prompts, its queue included; null before the first."""
    dimensions: Count | None = None
    languages: Languages | None = None
    """What an embedding or reading model reads well: `all`, or codes of ISO 639-1; null where nobody said it."""
    unrelated_cosine: float = 0.0
    """The cosine that an embedding model gives texts which have nothing to do with each other."""
    asymmetric: bool = False
    """Whether an embedding model reads queries otherwise than passages: then say `input_type`."""
    reads: list[Reads] | None = None
    """What a reading model can tell; null for other kinds, and while it is not loaded."""
    labels: list[str] | None = None
    """What a classification model chooses from; null for other kinds, and while it is not loaded."""
    embedding_model: str | None = None
    """The model whose vectors a classification model reads; null where it reads none, and while it is not loaded."""
    moderation: ModerationRules | None = None
    """What a classification model says of a text in `POST /v1/moderations`, if it is for that."""
    default: bool = False
    """Whether `default` means this model for its kind."""
    packaged: bool = False
    """Whether this is the small model that ships with Groundwork, for which grounding is `strict` by default."""
    tool_protocol: ToolProtocol | None = None
    """How a chat model calls tools: `native` by itself, `constrained` by guided decoding; null for other kinds."""
    images: bool | None = None
    """Whether a chat model reads pictures (`image_url`); null where nobody has said so."""
    quantization: str | None = None
    """How its weights are quantized, where the declaration or the file says so."""
    digest: str | None = None
    """`sha256:…` of its files; null for one behind a server, which does not say, and while it is computed."""
    revision: str | None = None
    """The commit or the release that its files are of; null where nobody knows."""
    fingerprint: str | None = None
    """Another one when its declaration, its server or its files are others; null until its files are known."""
    tenant: str | None = None
    """The tenant whose keys alone may see and ask it; null for one that is everybody's."""
    parent: str | None = None
    """Of a tuned model, the one that it began as."""
    tuned: TunedFrom | None = None
    """Of a tuned model, which job made it of what, and what it is worth."""
    added: bool = False
    """Whether it was added while the service runs, not declared in the models file."""
    state: ModelState | None = None
    """What it does now; null in lists of routes, `rag:` and `agent:` models."""
    reason: str | None = None
    """Why it is not ready."""
    asleep: bool = False
    """Whether it has given its memory back since nobody asked it; the next call loads it again, and takes longer."""
    price: ModelPrice | None = None
    """Null when nobody knows it; a cost is then null, too."""
    limits: Limits | None = None
    """What holds for all tenants together, so that nobody floods an engine."""

    @model_validator(mode="after")
    def _also_in_the_words_of_others(self) -> ModelInfo:
        self.root = self.root or self.id
        self.max_model_len = self.context_length
        self.parent = self.tuned.parent if self.tuned is not None else None
        return self


class ModelList(Reply):
    """OpenAI's list of models."""

    object: Literal["list"] = "list"
    data: list[ModelInfo]


_DeclaredName = Annotated[str, unlike("name", "kind", "engine", "source", "default")]


class ModelDeclaration(Request):
    """Body of `PUT /v1/models/{id}`: an entry of the models file. deploy/config/models.yaml tells every key."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[_DeclaredName, Passed]
    name: str | None = None
    """May be left out; else it is the one of the path."""
    kind: str
    """chat, embedding, rerank, reading or classification."""
    engine: str
    """openai (any server that speaks OpenAI's API), llamacpp (a GGUF file), sentence-transformers or another."""
    source: dict[str, Passed] = Field(default_factory=dict)
    """Where it is: `{base_url, upstream_model, api_key_env}` of a server, `{path}` of a GGUF file, and others."""
    default: bool | None = None
    """Whether `default` means this model for its kind; left out, that stays as it is."""


MAX_INPUTS = 2048


def _texts(value: object) -> object:
    return check_texts_or_tokens(value, MAX_INPUTS)


_EmbeddingName = Annotated[
    str, unlike("model", "input", "encoding_format", "dimensions", "user", "priority", "input_type")
]
_RerankName = Annotated[str, unlike("model", "query", "documents", "top_n", "return_documents", "rank_fields")]


class EmbeddingRequest(BaseModel):
    """Body of `POST /v1/embeddings`. `priority` (a query never waits behind bulk) is for services only.

    Unknown fields belong to the upstream model; a model that would ignore them refuses them.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[_EmbeddingName, Passed]
    model: str = "default"
    input: Annotated[str | list[str] | list[TokenId] | list[list[TokenId]], BeforeValidator(_texts)]
    """A text or a list of 1 to 2048 texts, or their token ids, which must be those of the model's own tokenizer."""
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Annotated[int, Field(ge=1)] | None = None
    user: str | None = None
    priority: Literal["query", "bulk"] = "query"
    input_type: str | None = None
    """`query` or `passage`, for a model that reads the two differently; `search_query`, `document` and
    `search_document` mean the same. Unsaid, a public caller's texts are passages; a service's are what its priority
    says."""

    def texts(self) -> list[str]:
        """The inputs; none where they are token ids."""
        given = [self.input] if isinstance(self.input, str) else self.input
        return [text for text in given if isinstance(text, str)]


class Embedding(Reply):
    """One vector: a list of floats, or base64 of little-endian float32."""

    object: Literal["embedding"] = "embedding"
    index: Count
    embedding: list[float] | str


class EmbeddingUsage(Reply):
    """Tokens read, and how many inputs were longer than the model reads."""

    prompt_tokens: Count
    total_tokens: Count
    truncated: Count = 0


class EmbeddingReply(Reply):
    """OpenAI's embedding list."""

    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    usage: EmbeddingUsage


def _texts_of_documents(value: object) -> object:
    """A document may be a text, or as Cohere has it an object with a `text`."""
    if not isinstance(value, list):
        return value
    return [_text_of_document(number, document) for number, document in enumerate(value)]


def _text_of_document(number: int, document: object) -> object:
    if not isinstance(document, dict):
        return document
    if not isinstance(document.get("text"), str):
        raise ValueError(f'must be texts or {{"text": ...}}; see number {number}')
    return document["text"]


_DOCUMENTS: dict[str, Any] = {
    "type": "array",
    "minItems": 1,
    "maxItems": 1000,
    "items": {
        "anyOf": [
            {"type": "string"},
            {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
        ]
    },
}


class RerankRequest(BaseModel):
    """Body of `POST /v1/rerank` and `/v2/rerank`. Unknown fields belong to the upstream model; who would ignore them
    refuses them."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[_RerankName, Passed]
    model: str = "default"
    query: Annotated[Text, StringConstraints(min_length=1)]
    documents: Annotated[
        list[Text],
        Field(min_length=1, max_length=1000),
        BeforeValidator(_texts_of_documents),
        WithJsonSchema(_DOCUMENTS, mode="validation"),
    ]
    """Texts, or objects with a `text`."""
    top_n: Annotated[int, Field(ge=1)] | None = None
    return_documents: bool | None = None
    """Whether each result says its document's text, too."""
    rank_fields: list[Literal["text"]] | None = None
    """Cohere's names of what a document is ranked by; there is only `text`."""


class RerankDocument(Reply):
    """A document that was ranked."""

    text: str


class RerankResult(Reply):
    """One document's place. `index` counts the request's documents from 0; `document` is there if it was asked for."""

    index: Count
    relevance_score: float
    document: RerankDocument | None = None


class RerankReply(Reply):
    """Results in descending relevance."""

    id: str = ""
    model: str
    results: list[RerankResult]
    usage: dict[str, Any] = Field(default_factory=dict)
