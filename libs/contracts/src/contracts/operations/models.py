"""Models, and the calls that use them."""

from __future__ import annotations

from types import NoneType

from contracts.access.delegation import Scope
from contracts.models.catalog import (
    EmbeddingReply,
    EmbeddingRequest,
    ModelDeclaration,
    ModelInfo,
    ModelList,
    RerankReply,
    RerankRequest,
)
from contracts.models.chat import STREAM_END, ChatCompletion, ChatCompletionChunk, ChatRequest
from contracts.models.classification import ClassifyReply, ClassifyRequest, ModerationReply, ModerationRequest
from contracts.models.completions import CompletionRequest, TextCompletion
from contracts.models.pulls import ModelPull, Pull, PullList
from contracts.models.responses import Response, ResponseEvent, ResponseRequest
from contracts.models.tokens import DetokenizeReply, DetokenizeRequest, TokenizeReply, TokenizeRequest
from contracts.operations.operation import Operation
from contracts.operations.reach import CHAT, NO_MODEL, TOKEN_IDS, TOKENS, VECTORS

_TAGS = ("models",)
_ADMIN: tuple[Scope, ...] = ("admin",)

# fmt: off
LIST_MODELS = Operation("GET", "/v1/models", ModelList, (), _TAGS, NO_MODEL, name="list_models")
GET_MODEL = Operation("GET", "/v1/models/{id}", ModelInfo, (), _TAGS, NO_MODEL, name="show_model")
PUT_MODEL = Operation(
    "PUT", "/v1/models/{id}", ModelInfo, _ADMIN, _TAGS, NO_MODEL, name="put_model", request=ModelDeclaration,
    carries="json",
)
DELETE_MODEL = Operation(
    "DELETE", "/v1/models/{id}", NoneType, (*_ADMIN, "evaluations:write"), _TAGS, NO_MODEL, status=204,
    name="remove_model",
)
SET_DEFAULT_MODEL = Operation(
    "PUT", "/v1/models/{id}/default", ModelInfo, _ADMIN, _TAGS, NO_MODEL, name="set_default_model",
)
PULL_MODEL = Operation(
    "POST", "/v1/models/pull", Pull, _ADMIN, _TAGS, NO_MODEL, status=202, name="pull_model", request=ModelPull,
    carries="json",
)
LIST_PULLS = Operation("GET", "/v1/models/pull", PullList, _ADMIN, _TAGS, NO_MODEL, name="list_pulls")
GET_PULL = Operation("GET", "/v1/models/pull/{id}", Pull, _ADMIN, _TAGS, NO_MODEL, name="show_pull")
CANCEL_PULL = Operation(
    "DELETE", "/v1/models/pull/{id}", Pull, _ADMIN, _TAGS, NO_MODEL, status=202, name="cancel_pull",
)
CREATE_CHAT_COMPLETION = Operation(
    "POST", "/v1/chat/completions", ChatCompletion, ("chat",), _TAGS, CHAT, name="chat", route="chat",
    request=ChatRequest, carries="json", streams="if_asked", event=ChatCompletionChunk,
    end=STREAM_END, cites=True,
)
CREATE_COMPLETION = Operation(
    "POST", "/v1/completions", TextCompletion, ("chat",), _TAGS, CHAT, name="complete", route="chat",
    request=CompletionRequest, carries="json", streams="if_asked", event=TextCompletion, end=STREAM_END,
)
CREATE_RESPONSE = Operation(
    "POST", "/v1/responses", Response, ("chat",), _TAGS, CHAT, name="respond", route="chat", request=ResponseRequest,
    carries="json", streams="if_asked", event=ResponseEvent, cites=True,
)
CREATE_EMBEDDINGS = Operation(
    "POST", "/v1/embeddings", EmbeddingReply, ("chat",), _TAGS, VECTORS, name="embeddings", route="embeddings",
    request=EmbeddingRequest, carries="json",
)
RERANK = Operation(
    "POST", "/v1/rerank", RerankReply, ("chat",), _TAGS, VECTORS, name="rerank", route="rerank", request=RerankRequest,
    carries="json",
)
RERANK_V2 = Operation(
    "POST", "/v2/rerank", RerankReply, ("chat",), _TAGS, VECTORS, name="rerank", route="rerank", request=RerankRequest,
    carries="json",
)
CLASSIFY = Operation(
    "POST", "/v1/classify", ClassifyReply, ("chat",), _TAGS, VECTORS, name="classify", route="classify",
    request=ClassifyRequest, carries="json",
)
MODERATE = Operation(
    "POST", "/v1/moderations", ModerationReply, ("chat",), _TAGS, VECTORS, name="moderate", route="moderation",
    request=ModerationRequest, carries="json",
)
TOKENIZE = Operation(
    "POST", "/v1/tokenize", TokenizeReply, ("chat",), _TAGS, TOKENS, name="tokenize", route="tokens",
    request=TokenizeRequest, carries="json",
)
DETOKENIZE = Operation(
    "POST", "/v1/detokenize", DetokenizeReply, ("chat",), _TAGS, TOKEN_IDS, name="detokenize", route="tokens",
    request=DetokenizeRequest, carries="json",
)
# fmt: on
