"""Any server that speaks OpenAI's API: vLLM, Ollama, llama.cpp's server, OpenAI and others' compatible endpoints.

Requests pass through with only the model's name changed; answers likewise. The server's failures become ours: its
words reach the caller only where it says that the request is wrong (400, 404 aside).
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import structlog
from pydantic import SecretStr

from contracts.chat import ChatRequest
from inference.errors import ContextExceeded, ModelBusy, ModelNotReady, UpstreamBroke, UpstreamRefused
from inference.ports import Completion, Embedded, Piece, Priority, Ranked
from servicekit import sse
from servicekit.errors import ServiceError
from servicekit.http import Peer, PeerStream

log = structlog.get_logger(__name__)
CHUNK_FIELDS = frozenset(("id", "object", "created", "model", "choices", "usage"))
SHOWN = 500
JSON = {"Content-Type": "application/json"}


class Upstream:
    """One model of one server: its calls, and its failures as our errors."""

    def __init__(
        self,
        name: str,
        peer: Peer,
        *,
        upstream_model: str,
        api_key: SecretStr | None,
        ready_path: str = "/models",
        tokenizer: Path | None = None,
    ) -> None:
        self.name = name
        self.model = upstream_model
        self._peer = peer
        self._key = api_key.get_secret_value() if api_key else None
        self._ready_path = ready_path
        self._tokenizer = tokenizer

    async def open(self) -> None:
        """Nothing to load; whether the server is there is the probe's question."""

    async def close(self) -> None:
        """The connections are the service's."""

    async def probe(self) -> None:
        """Raise unless the server answers."""
        await self._get(self._ready_path)

    def tokenizer(self) -> bytes | None:
        """The declared file."""
        return self._tokenizer.read_bytes() if self._tokenizer else None

    async def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """A whole answer as JSON; raises what the server's failure is to the caller."""
        async with self._peer.stream(
            "POST", path, token=self._key, body=json.dumps(body).encode(), headers=JSON, check_status=False
        ) as answer:
            content = b"".join([piece async for piece in answer.pieces()])
        parsed = self._parse(content)
        self._check(answer, parsed)
        return parsed

    async def events(self, path: str, body: Mapping[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        """A streamed answer's JSON events; raises if it holds an error or ends before `[DONE]`."""
        async with self._peer.stream(
            "POST", path, token=self._key, body=json.dumps(body).encode(), headers=JSON, check_status=False
        ) as answer:
            if answer.status >= 400 or "event-stream" not in answer.headers.get("Content-Type", ""):
                parsed = self._parse(b"".join([piece async for piece in answer.pieces()]))
                self._check(answer, parsed)
                raise UpstreamBroke(self.name, "did not stream")
            try:
                async for event in sse.decode(answer.pieces()):
                    if event.data.strip() == "[DONE]":
                        return
                    parsed = self._parse(event.data.encode())
                    self._check(answer, parsed, event=event.event)
                    yield parsed
            except sse.MalformedStream:
                raise UpstreamBroke(self.name, "broke off in the middle of its answer") from None
            raise UpstreamBroke(self.name, "ended its answer without finishing it")

    async def _get(self, path: str) -> None:
        async with self._peer.stream("GET", path, token=self._key, check_status=False, timeout_seconds=2.5) as answer:
            content = b"".join([piece async for piece in answer.pieces()])
            if answer.status >= 400:
                self._check(answer, self._parse(content or b"{}"))

    def _parse(self, content: bytes) -> dict[str, Any]:
        try:
            parsed = json.loads(content)
        except ValueError:
            parsed = None
        return parsed if isinstance(parsed, dict) else {"malformed": content[:SHOWN].decode("utf-8", "replace")}

    def _check(self, answer: PeerStream, parsed: Mapping[str, Any], event: str = "message") -> None:
        error = parsed.get("error")
        if answer.status < 400 and not error and event != "error" and "malformed" not in parsed:
            return
        log.warning("upstream failed", model=self.name, status=answer.status, body=str(parsed)[:SHOWN])
        self._raise(answer, error)

    def _raise(self, answer: PeerStream, error: object) -> NoReturn:
        said = error if isinstance(error, dict) else {"message": error} if isinstance(error, str) else {}
        code, message = str(said.get("code") or ""), str(said.get("message") or "")[:SHOWN]
        status = answer.status
        if status < 400:  # an error inside a stream that began as a success
            status = int(code) if code.isdigit() else 502
        if code == "context_length_exceeded" or (status == 400 and "maximum context length" in message):
            raise _refused(ContextExceeded.code, message, "messages")
        if status in (400, 413, 422):
            raise _refused(code or UpstreamRefused.code, message, said.get("param"))
        if status == 429:
            raise ModelBusy(self.name, _retry_after(answer))
        if status == 503:
            raise ModelNotReady(self.name, "its server says that it is not ready")
        words = {401: "refused the key that it was given", 403: "refused the key that it was given"}
        words[404] = f"has no model '{self.model}'"
        raise UpstreamBroke(self.name, words.get(status, "failed"))


class UpstreamChat(Upstream):
    """A `ChatEngine`."""

    def __init__(self, *args: Any, stream_usage: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._stream_usage = stream_usage

    async def complete(self, request: ChatRequest) -> Completion:
        """The server's whole answer, with whatever fields it has."""
        answer = await self.post("/chat/completions", self._body(request, stream=False))
        choices = answer.get("choices")
        if not isinstance(choices, list) or not choices:
            raise UpstreamBroke(self.name, "gave an answer without choices")
        return Completion(tuple(choices), answer.get("usage"), _extra(answer))

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Piece, None]:
        """The server's pieces as they come."""
        events = self.events("/chat/completions", self._body(request, stream=True))
        async with aclosing(events):
            async for event in events:
                yield Piece(tuple(event.get("choices") or ()), event.get("usage"), _extra(event))

    def _body(self, request: ChatRequest, *, stream: bool) -> dict[str, Any]:
        body = request.model_dump(mode="json", exclude_unset=True, exclude={"groundwork", "stream_options"})
        body |= {"model": self.model, "stream": stream}
        if stream and self._stream_usage:
            body["stream_options"] = {"include_usage": True}
        return body


class UpstreamEmbedding(Upstream):
    """An `EmbeddingEngine`. The server cuts nothing: an input that is too long is its 400."""

    def __init__(self, *args: Any, dimensions: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._dimensions = dimensions

    async def embed(self, texts: Sequence[str], priority: Priority) -> Embedded:
        """The server's vectors, normalised."""
        body = {"model": self.model, "input": list(texts), "encoding_format": "base64"}
        answer = await self.post("/embeddings", body)
        try:
            rows = sorted(answer["data"], key=lambda row: row["index"])
            vectors = np.array([_vector(row["embedding"]) for row in rows], dtype=np.float32)
        except (KeyError, TypeError, ValueError):
            raise UpstreamBroke(self.name, "gave embeddings that can't be read") from None
        if vectors.shape != (len(texts), self._dimensions):
            raise UpstreamBroke(
                self.name, f"gave embeddings of shape {vectors.shape}; see `dimensions` in the models file"
            )
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return Embedded(vectors / np.maximum(lengths, 1e-12), _tokens(answer), truncated=0)


class UpstreamRank(Upstream):
    """A `RerankEngine` over `/rerank` as vLLM, Cohere and Jina have it."""

    async def rank(self, query: str, documents: Sequence[str]) -> Ranked:
        """The server's scores."""
        body = {"model": self.model, "query": query, "documents": list(documents)}
        answer = await self.post("/rerank", body)
        try:
            scores = {int(row["index"]): float(row["relevance_score"]) for row in answer["results"]}
            return Ranked(tuple(scores[index] for index in range(len(documents))), _tokens(answer), truncated=0)
        except (KeyError, TypeError, ValueError):
            raise UpstreamBroke(self.name, "gave a ranking that can't be read") from None


def _refused(code: str, message: str, param: object) -> ServiceError:
    error = UpstreamRefused(
        message or "The server says that the request is wrong.", param=param if isinstance(param, str) else None
    )
    error.code = code
    return error


def _retry_after(answer: PeerStream) -> float:
    value = answer.headers.get("Retry-After", "")
    return float(value) if value.isdigit() else 5.0


def _vector(value: object) -> Any:
    return np.frombuffer(base64.b64decode(value), dtype="<f4") if isinstance(value, str) else value


def _tokens(answer: Mapping[str, Any]) -> int:
    usage = answer.get("usage")
    count = (usage.get("total_tokens") or usage.get("prompt_tokens")) if isinstance(usage, dict) else None
    return count if isinstance(count, int) and count >= 0 else 0


def _extra(answer: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name not in CHUNK_FIELDS}
