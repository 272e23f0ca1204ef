"""Any server that speaks OpenAI's API: vLLM, Ollama, llama.cpp's server, OpenAI and others' compatible endpoints.

Requests pass through with only the model's name changed, and what a source declares of its server's dialect; answers
likewise. The server's failures become ours (`openai_failures`).
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any

import structlog
from pydantic import SecretStr

from contracts.models.chat import ChatRequest
from inference.catalog.sources import UpstreamSource
from inference.engines.openai.events import DONE, EventReader
from inference.engines.openai.failures import SHOWN, failure_of, is_failure, names_parameter
from inference.engines.openai.token_count import TokenCount, text_in
from inference.engines.openai.tokens import DeclaredTokens, ServerTokens
from inference.errors import NoCompletions, UpstreamBroke, UpstreamRefused
from inference.protocol import codec
from inference.protocol.engines import Completion, Piece
from inference.protocol.tokens import TokenCodec
from inference.queueing.admission import Admission
from servicekit.peers.client import Peer, PeerStream, PeerTimeout
from servicekit.streams.sse import MalformedStream

log = structlog.get_logger(__name__)
CHUNK_FIELDS = frozenset(("id", "object", "created", "model", "choices", "usage"))
BYTES_A_TOKEN = 4
"""Rough length of a token, by which waiting calls are weighed."""
FIRST_FRAMES = 8
"""Frames without content that are held back until the first with content, since an error may follow them."""
NOT_PASSED = frozenset(("groundwork", "raw_prompts"))
"""Fields that are said between our own services only."""
COMPLETIONS = "/completions"
NO_SUCH_CALL = frozenset((404, 405, 501))
"""What servers say that have no completions, or none of this model: they do not fail, and chats with it go on."""
JSON = {"Content-Type": "application/json"}


class EndedEarly(UpstreamBroke):
    """A stream ended without `[DONE]`."""

    def __init__(self, model: str) -> None:
        super().__init__(model, "ended its answer without finishing it")


class _Silence:
    """How long a server has said nothing. Comments and blanks say nothing: servers send them to keep a connection open,
    whatever has become of the engine behind them.
    """

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._since = time.monotonic()

    def record(self, has_content: bool) -> None:
        """Something came; raises `PeerTimeout` when it says nothing and what did is too long ago."""
        now = time.monotonic()
        if has_content:
            self._since = now
        elif now - self._since > self._peer.timeout_seconds:
            raise PeerTimeout(self._peer.name, self._peer.called)


class Upstream:
    """One model of one server: its calls, each in a slot of its queue, and its failures as our errors."""

    def __init__(
        self,
        name: str,
        peer: Peer,
        admission: Admission,
        *,
        source: UpstreamSource,
        api_key: SecretStr | None,
        context_length: int | None = None,
        tokenizer: Path | None = None,
        closing: Callable[[], Any] | None = None,
        root: Peer | None = None,
    ) -> None:
        """`root`: where the server has what is not OpenAI's, as `/tokenize`."""
        self.name = name
        self.source = source
        self.admission = admission
        self._peer = peer
        self._context = context_length
        self._key = api_key.get_secret_value() if api_key else None
        self._tokenizer = tokenizer
        self._closing = closing
        self._root = root
        server = ServerTokens(name, source.upstream_model, self.ask)
        self._tokens: TokenCodec = DeclaredTokens(tokenizer.read_bytes, server) if tokenizer else server

    async def open(self) -> None:
        """Nothing to load; whether the server is there is the probe's question."""

    async def close(self) -> None:
        """The connections are the service's; only what asks in the background is stopped."""
        if self._closing is not None:
            await self._closing()

    async def probe(self) -> None:
        """Raise unless the server answers."""
        if self.source.ready_path is not None:
            await self._get(self.source.ready_path)

    def tokenizer(self) -> bytes | None:
        """The declared file."""
        return self._tokenizer.read_bytes() if self._tokenizer else None

    def tokens(self) -> TokenCodec | None:
        """By the declared file, else by the server."""
        return self._tokens

    async def ask(self, path: str, body: Mapping[str, Any]) -> dict[str, Any] | None:
        """An answer of the server beside OpenAI's calls, which takes no slot, since no model works on it; None where it
        has no such call."""
        if self._root is None:
            return None
        async with self._root.stream(
            "POST", path, token=self._key, body=codec.write(body), headers=JSON, check_status=False
        ) as answer:
            content = b"".join([piece async for piece in answer.pieces()])
            if answer.status in NO_SUCH_CALL:
                return None
            return self._check_answer(answer, content)

    async def post(self, path: str, body: Mapping[str, Any], *, bulk: bool = False) -> dict[str, Any]:
        """A whole answer as JSON; raises what the server's failure is to the caller."""
        content = codec.write(body)
        release = await self.admission.enter(self._estimate_tokens(content, body), bulk=bulk)
        try:
            async with self._peer.stream(
                "POST", path, token=self._key, body=content, headers=JSON, check_status=False
            ) as answer:
                self._check_known_call(path, answer.status)
                return self._check_answer(answer, await self._whole(answer))
        finally:
            release()

    async def stream_of(self, path: str, body: Mapping[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        """A streamed answer's JSON events; raises if it holds an error, and `EndedEarly` without `[DONE]`."""
        content = codec.write(body)
        release = await self.admission.enter(self._estimate_tokens(content, body))
        try:
            async with self._peer.stream(
                "POST", path, token=self._key, body=content, headers=JSON, check_status=False
            ) as answer:
                self._check_known_call(path, answer.status)
                if answer.status >= 400 or "event-stream" not in answer.headers.get("Content-Type", ""):
                    self._check_answer(answer, await self._whole(answer))
                    raise UpstreamBroke(self.name, "did not stream")
                async with aclosing(self._events(answer)) as parsed:
                    async for event in parsed:
                        yield event
        finally:
            release()

    def _check_known_call(self, path: str, status: int) -> None:
        """Raise `NoCompletions` for a model that has only chats."""
        if path == COMPLETIONS and status in NO_SUCH_CALL:
            raise NoCompletions(self.name)

    def _estimate_tokens(self, content: bytes, body: Mapping[str, Any]) -> int:
        """Tokens of a call, roughly: those of its request, and those that its answers may have in the context."""
        asked, choices = body.get("max_completion_tokens") or body.get("max_tokens"), body.get("n") or 1
        answer = min(asked, self._context) if isinstance(asked, int) and self._context else 0
        return len(content) // BYTES_A_TOKEN + answer * choices

    async def _whole(self, answer: PeerStream) -> bytes:
        silence, pieces = _Silence(self._peer), []
        async for piece in answer.pieces():
            silence.record(not piece.isspace())
            pieces.append(piece)
        return b"".join(pieces)

    async def _events(self, answer: PeerStream) -> AsyncGenerator[dict[str, Any], None]:
        reader, silence = EventReader(), _Silence(self._peer)
        try:
            async for piece in answer.pieces():
                events = reader.feed(piece)
                silence.record(bool(events))
                for event in events:
                    if event.data == DONE:
                        return
                    yield self._check_answer(answer, event.data, failed=event.failed)
        except MalformedStream:
            raise UpstreamBroke(self.name, "broke off in the middle of its answer") from None
        for event in reader.close():
            if event.data == DONE:
                return
            yield self._check_answer(answer, event.data, failed=event.failed)
        raise EndedEarly(self.name)

    async def _get(self, path: str) -> None:
        async with self._peer.stream("GET", path, token=self._key, check_status=False, timeout_seconds=2.5) as answer:
            content = b"".join([piece async for piece in answer.pieces()])
            if answer.status >= 400:
                self._check_answer(answer, content)

    def _check_answer(self, answer: PeerStream, content: bytes, failed: bool = False) -> dict[str, Any]:
        """The object that the server gave; raises its failure as ours."""
        try:
            parsed = codec.read(content)
        except ValueError:
            parsed = None
        if answer.status < 400 and not failed and isinstance(parsed, dict) and not is_failure(parsed):
            return parsed
        log.warning("upstream failed", model=self.name, status=answer.status, body=repr(content[:SHOWN]))
        failure = failure_of(self.name, self.source.upstream_model, answer.status, answer.headers, parsed)
        failure.usage = usage_in(parsed) if isinstance(parsed, dict) else None
        raise failure


class UpstreamChat(Upstream):
    """A `ChatEngine`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._asks_usage = self.source.stream_usage
        self._count = TokenCount(self._tokenizer) if self._tokenizer else None

    async def complete(self, request: ChatRequest) -> Completion:
        """The server's whole answer, with whatever fields it has."""
        answer = await self.post(_path(request), self._body(request, stream=False))
        choices = answer.get("choices")
        if request.raw_prompts:
            choices = _as_chat(choices, "message")
        if not isinstance(choices, list) or not choices or not all(_is_choice(each, "message") for each in choices):
            raise UpstreamBroke(self.name, "gave an answer without choices", usage_in(answer))
        usage = usage_in(answer)
        if usage is None and self._count is not None:
            usage = await self._count.usage(
                request, [text for choice in choices for text in text_in(choice.get("message"))]
            )
        return Completion(tuple(choices), usage, _extra(answer))

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Piece, None]:
        """The server's pieces as they come, from the first that says something: an error before that is raised as
        if nothing had come. Usage that the server does not give is counted, where a tokenizer is declared.
        """
        held: list[Piece] = []
        written: list[str] = []
        counted = self._count is None
        async with aclosing(self._pieces(request)) as pieces:
            async for piece in pieces:
                counted = counted or piece.usage is not None
                if not counted:
                    written += [text for choice in piece.choices for text in text_in(choice.get("delta"))]
                if held is not _PASSED:
                    held.append(piece)
                    if not piece.has_content and len(held) < FIRST_FRAMES:
                        continue
                    for early in held:
                        yield early
                    held = _PASSED
                else:
                    yield piece
        for early in held:
            yield early
        if not counted and self._count is not None:
            yield Piece(usage=await self._count.usage(request, written))

    async def _pieces(self, request: ChatRequest) -> AsyncGenerator[Piece, None]:
        """The pieces of a whole answer; raises `EndedEarly` for one that is neither `[DONE]` nor finished."""
        finished: dict[int, bool] = {}
        try:
            async with aclosing(self._begun(request)) as parsed:
                async for event in parsed:
                    choices = event.get("choices") or ()
                    if request.raw_prompts:
                        choices = _as_chat(choices, "delta")
                    if not all(_is_choice(each, "delta") for each in choices):
                        raise TypeError
                    for choice in choices:
                        index = choice.get("index", 0)
                        finished[index] = finished.get(index, False) or bool(choice.get("finish_reason"))
                    yield Piece(tuple(choices), usage_in(event), _extra(event))
        except EndedEarly:
            # Some servers leave [DONE] out. Their answer is whole when each choice says how it ended.
            asked = (request.n or 1) * (len(request.messages) if request.raw_prompts else 1)
            if len(finished) < asked or not all(finished.values()):
                raise
        except (AttributeError, TypeError):
            raise UpstreamBroke(self.name, "gave an answer that can't be read") from None

    async def _begun(self, request: ChatRequest) -> AsyncGenerator[dict[str, Any], None]:
        """The events; asked again without `stream_options` by a server that does not know it, once and for all."""
        body = self._body(request, stream=True)
        begun = False
        try:
            async with aclosing(self.stream_of(_path(request), body)) as parsed:
                async for event in parsed:
                    begun = True
                    yield event
            return
        except UpstreamRefused as error:
            if begun or request.stream_options or not self._asks_usage or not names_parameter(error, "stream_options"):
                raise
        log.warning("a server refuses stream_options; set stream_usage: false", model=self.name)
        self._asks_usage = False
        async with aclosing(self.stream_of(_path(request), self._body(request, stream=True))) as parsed:
            async for event in parsed:
                yield event

    def _body(self, request: ChatRequest, *, stream: bool) -> dict[str, Any]:
        body = request.model_dump(mode="json", exclude_unset=True, exclude={*NOT_PASSED, "stream_options"})
        body |= {"model": self.source.upstream_model, "stream": stream}
        if stream:
            given = request.stream_options
            options = given.model_dump(mode="json", exclude_unset=True, exclude={"include_usage"}) if given else {}
            if self._asks_usage:
                options["include_usage"] = True
            if options:
                body["stream_options"] = options
        limit = self.source.max_tokens_as
        if request.raw_prompts:
            prompts = [message.plain_text() for message in request.messages]
            del body["messages"]
            body["prompt"] = prompts if len(prompts) > 1 else prompts[0]
        elif limit is not None:
            asked = [body.pop(name, None) for name in ("max_completion_tokens", "max_tokens")]
            body |= {limit: asked[0] or asked[1]} if any(asked) else {}
        return body


_PASSED: list[Piece] = []
"""Stands for the held pieces once they have been passed on."""


def usage_in(answer: Mapping[str, Any]) -> dict[str, Any] | None:
    """An answer's `usage`, its total filled in; None where there is none to go by."""
    usage = answer.get("usage")
    if not isinstance(usage, dict):
        return None
    counts = [usage.get(name) for name in ("prompt_tokens", "completion_tokens")]
    if not any(isinstance(count, int) for count in counts):
        return usage if isinstance(usage.get("total_tokens"), int) else None
    total = sum(count for count in counts if isinstance(count, int))
    return usage if isinstance(usage.get("total_tokens"), int) else {**usage, "total_tokens": total}


def _path(request: ChatRequest) -> str:
    return COMPLETIONS if request.raw_prompts else "/chat/completions"


def _as_chat(choices: object, part: str) -> object:
    """Choices of a completion as those of a chat; what is none is left for the check that follows."""
    if not isinstance(choices, list):
        return choices
    for choice in choices:
        if isinstance(choice, dict):
            choice[part] = {"content": choice.pop("text", None)}
    return choices


def _is_choice(value: object, part: str) -> bool:
    """Whether it is a choice whose message or delta can be read."""
    return isinstance(value, dict) and isinstance(value.get(part) or {}, dict)


def _extra(answer: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name not in CHUNK_FIELDS}
