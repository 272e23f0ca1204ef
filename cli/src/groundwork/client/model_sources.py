"""Declarations of models at the usual places, in one line each: `at("openai", "gpt-4.1-mini")`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from contracts.models.catalog import ModelDeclaration
from groundwork.errors import GroundworkError

Place = Literal["openai", "anthropic", "gemini", "cohere", "ollama", "vllm", "gguf"]
Kind = Literal["chat", "embedding", "rerank"]
FREE = {"prompt_usd_per_million": 0, "completion_usd_per_million": 0}


@dataclass(frozen=True, slots=True)
class _Server:
    """How a server is reached and what its dialect is, by kind of model."""

    url: str
    key: str | None = None
    context_length: int = 8192
    """What a chat model reads and writes where nobody says it."""
    kinds: tuple[Kind, ...] = ("chat", "embedding")
    urls: Mapping[Kind, str] = field(default_factory=dict)
    """Where another URL holds."""
    source: Mapping[str, Any] = field(default_factory=dict)
    chat: Mapping[str, Any] = field(default_factory=dict)
    embedding: Mapping[str, Any] = field(default_factory=dict)
    is_free: bool = False


SERVERS: Mapping[str, _Server] = {
    "openai": _Server(
        "https://api.openai.com/v1",
        "OPENAI_API_KEY",
        128_000,
        chat={"max_tokens_as": "max_completion_tokens"},
        embedding={"send_dimensions": True},
    ),
    "anthropic": _Server(
        "https://api.anthropic.com/v1", "ANTHROPIC_API_KEY", 200_000, ("chat",), source={"ready_path": None}
    ),
    "gemini": _Server(
        "https://generativelanguage.googleapis.com/v1beta/openai",
        "GEMINI_API_KEY",
        1_048_576,
        embedding={"encoding_format": "float", "send_dimensions": True},
    ),
    "cohere": _Server(
        "https://api.cohere.ai/compatibility/v1",
        "COHERE_API_KEY",
        128_000,
        ("chat", "embedding", "rerank"),
        urls={"rerank": "https://api.cohere.com/v2"},
        source={"ready_path": None},
        chat={"max_tokens_as": "max_tokens"},
    ),
    "ollama": _Server(
        "http://127.0.0.1:11434/v1",
        None,
        4096,
        chat={"max_tokens_as": "max_tokens"},
        embedding={"encoding_format": "float"},
        is_free=True,
    ),
    "vllm": _Server("http://127.0.0.1:8000/v1", kinds=("chat", "embedding", "rerank")),
}
KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "COHERE_API_KEY", "VLLM_API_KEY")
"""Variables with keys that inference lets added models name (INFERENCE_ADDED_KEYS)."""


class SourceUnclear(GroundworkError):
    """What was said does not make a declaration; the message says what is missing."""


def at(
    place: Place,
    model: str,
    *,
    kind: Kind = "chat",
    url: str | None = None,
    key: str | None = None,
    context_length: int | None = None,
    dimensions: int | None = None,
    images: bool | None = None,
    default: bool | None = None,
) -> ModelDeclaration:
    """The declaration of a model at a place: its name there, or the path of a GGUF file on inference's host.

    `url`: of another server of that kind. `key`: the variable with its key. `context_length`: tokens that a chat model
    reads and writes, or that an embedding or rerank model reads of one input. `images`: whether a chat model reads
    pictures. Raises `SourceUnclear`.
    """
    if place not in get_args(Place):
        raise SourceUnclear(f"There is no place '{place}'. It is one of {', '.join(get_args(Place))}.")
    if kind == "embedding" and dimensions is None:
        raise SourceUnclear("Say how long the vectors are: --dimensions 768, for instance.")
    sizes: dict[str, Any] = {"context_length" if kind == "chat" else "max_input_tokens": context_length}
    engine = "llamacpp" if place == "gguf" else "openai"
    source = _file(model, kind) if place == "gguf" else _server(place, model, kind, url, key)
    if context_length is None:
        length = 4096 if place == "gguf" else SERVERS[place].context_length
        sizes = {"context_length": length} if kind == "chat" else {"max_input_tokens": 512}
    more: dict[str, Any] = {**sizes, **({"dimensions": dimensions} if kind == "embedding" else {})}
    if place == "gguf" or SERVERS[place].is_free:
        more["price"] = FREE if kind == "chat" else {"prompt_usd_per_million": 0}
    said = {"images": images, "default": default}
    more |= {name: value for name, value in said.items() if value is not None}
    return ModelDeclaration.model_validate({"kind": kind, "engine": engine, "source": source, **more})


def _file(path: str, kind: Kind) -> dict[str, Any]:
    if kind != "chat":
        raise SourceUnclear(
            "A GGUF file is a chat model here. Embeddings and rerank of one are served by vLLM or Ollama."
        )
    return {"path": path}


def _server(place: str, model: str, kind: Kind, url: str | None, key: str | None) -> dict[str, Any]:
    server = SERVERS[place]
    if kind not in server.kinds:
        raise SourceUnclear(f"{place} is known for {' and '.join(server.kinds)} only, not for {kind}.")
    base = _base(url) if url else server.urls.get(kind, server.url)
    named = key or server.key
    dialect = {"chat": server.chat, "embedding": server.embedding}.get(kind, {})
    return {
        "base_url": base,
        "upstream_model": model,
        **({"api_key_env": named} if named else {}),
        **server.source,
        **dialect,
    }


def _base(url: str) -> str:
    """With `/v1`, where only a host was given."""
    bare = url.rstrip("/")
    return bare if "/" in bare.partition("://")[2] else f"{bare}/v1"
