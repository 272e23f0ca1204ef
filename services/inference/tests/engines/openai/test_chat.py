"""A server that speaks OpenAI's API, as the engine meets it: what is sent, and what is made of what comes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import SecretStr

from contracts.models.chat import ChatRequest
from inference.catalog.models_file import UpstreamSource
from inference.engines.openai.chat import UpstreamChat, usage_in
from inference.engines.scripted.vectors import TOKENIZER
from inference.errors import ModelBusy, NoCompletions, UpstreamBroke, UpstreamRefused
from inference.protocol.engines import Piece
from inference.queueing.admission import Admission
from servicekit.peers.client import Peer, PeerTimeout

USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
WHOLE = {"id": "x", "choices": [{"index": 0, "message": {"content": "Hello"}, "finish_reason": "stop"}], "usage": USAGE}
STREAM = {"Content-Type": "text/event-stream"}


def event(text: str | None = None, reason: str | None = None, **more: Any) -> bytes:
    delta = {"role": "assistant"} if text is None else {"content": text}
    chunk = {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}], **more}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"


class Answer:
    """A server's answer, in pieces."""

    def __init__(self, *pieces: bytes, status: int = 200, **headers: str) -> None:
        self._pieces = pieces
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    async def pieces(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece


def streamed(*pieces: bytes) -> Answer:
    answer = Answer(*pieces)
    answer.headers = STREAM
    return answer


def told(body: Any, status: int = 200) -> Answer:
    return Answer(json.dumps(body).encode(), status=status)


class Server:
    """Stands where a `Peer` is: gives one answer after another, the last for good, and keeps what it was sent."""

    name = "far"
    called = "server behind the model 'far'"

    def __init__(self, *answers: Answer, timeout_seconds: float = 60.0) -> None:
        self.timeout_seconds = timeout_seconds
        self._answers = list(answers)
        self.paths: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        self.tokens: list[str | None] = []

    @asynccontextmanager
    async def stream(self, method: str, path: str, **given: Any) -> AsyncIterator[Answer]:
        self.paths.append(path)
        self.tokens.append(given.get("token"))
        if given.get("body"):
            self.bodies.append(json.loads(given["body"]))
        yield self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


def engine(server: Server, tokenizer: Path | None = None, key: str | None = None, **source: Any) -> UpstreamChat:
    declared = {"base_url": "http://far.test/v1", "upstream_model": "org/far", **source}
    return UpstreamChat(
        "far",
        cast("Peer", server),
        Admission("far", slots=1, waiting=0),
        source=UpstreamSource.model_validate(declared),
        api_key=SecretStr(key) if key else None,
        context_length=1000,
        tokenizer=tokenizer,
    )


def asked(**more: Any) -> ChatRequest:
    return ChatRequest.model_validate({"model": "far", "messages": [{"role": "user", "content": "Hi there"}], **more})


async def pieces_of(chat: UpstreamChat, request: ChatRequest) -> list[Piece]:
    return [piece async for piece in chat.stream(request)]


def text_of(pieces: list[Piece]) -> str:
    return "".join(choice["delta"].get("content") or "" for piece in pieces for choice in piece.choices)


async def test_a_request_passes_with_only_its_model_renamed_and_an_answer_as_it_is() -> None:
    server = Server(told({**WHOLE, "system_fingerprint": "fp"}))
    answer = await engine(server, key="s3cret").complete(asked(temperature=0.5, logit_bias={"1": 2}, colour="red"))
    assert (answer.choices, answer.usage) == (tuple(WHOLE["choices"]), USAGE)
    assert answer.extra == {"system_fingerprint": "fp"}
    (body,) = server.bodies
    assert (body["model"], body["stream"], body["temperature"], body["colour"]) == ("org/far", False, 0.5, "red")
    assert body["messages"] == [{"role": "user", "content": "Hi there"}]
    assert (server.paths, server.tokens) == (["/chat/completions"], ["s3cret"])


@pytest.mark.parametrize(
    ("said", "given", "sent"),
    [
        (None, {"max_tokens": 5}, {"max_tokens": 5}),
        ("max_completion_tokens", {"max_tokens": 5}, {"max_completion_tokens": 5}),
        ("max_tokens", {"max_completion_tokens": 5}, {"max_tokens": 5}),
        ("max_tokens", {"max_completion_tokens": 5, "max_tokens": 9}, {"max_tokens": 5}),
        ("max_tokens", {}, {}),
    ],
)
async def test_the_length_of_an_answer_has_the_name_that_the_server_knows(
    said: str | None, given: dict[str, int], sent: dict[str, int]
) -> None:
    server = Server(told(WHOLE))
    await engine(server, max_tokens_as=said).complete(asked(**given))
    names = ("max_tokens", "max_completion_tokens")
    assert {name: server.bodies[0][name] for name in names if name in server.bodies[0]} == sent


@pytest.mark.parametrize(
    "body", [{}, {"choices": []}, {"choices": "x"}, {"choices": ["x"]}, {"choices": [{"message": "x"}]}, [], "x"]
)
async def test_an_answer_without_choices_is_the_server_s_failure(body: Any) -> None:
    chat = engine(Server(told(body)))
    with pytest.raises(UpstreamBroke):
        await chat.complete(asked())
    assert chat.admission.running == 0


async def test_a_stream_comes_as_it_is_to_its_end_and_asks_for_its_usage() -> None:
    server = Server(
        streamed(event(), event("Hel") + event("lo"), event("", "stop"), event("", usage=USAGE), DONE, event("x"))
    )
    pieces = await pieces_of(engine(server), asked(stream=True))
    assert text_of(pieces) == "Hello"
    assert [piece.usage for piece in pieces if piece.usage] == [USAGE]
    assert server.bodies[0]["stream_options"] == {"include_usage": True}


async def test_a_failure_before_anything_was_said_is_raised_as_if_nothing_had_come() -> None:
    busy = b'data: {"error": {"message": "busy", "code": 429}}\n\n'
    chat = engine(Server(streamed(event(), busy)))
    with pytest.raises(ModelBusy):
        await anext(chat.stream(asked(stream=True)))
    assert chat.admission.running == 0


async def test_a_failure_in_the_middle_comes_after_what_was_said() -> None:
    stream = engine(Server(streamed(event("Hel"), b"data: not json\n\n"))).stream(asked())
    assert text_of([await anext(stream)]) == "Hel"
    with pytest.raises(UpstreamBroke):
        await anext(stream)


@pytest.mark.parametrize(
    ("end", "is_whole"),
    [([event("", "stop")], True), ([event("Hel")], False), ([], False), ([event("", "stop")[:-2]], True)],
)
async def test_a_stream_without_its_last_word_is_whole_where_each_choice_says_how_it_ended(
    end: list[bytes], is_whole: bool
) -> None:
    chat = engine(Server(streamed(event("Hello"), *end)))
    if is_whole:
        assert text_of(await pieces_of(chat, asked())) == "Hello"
    else:
        with pytest.raises(UpstreamBroke, match="without finishing"):
            await pieces_of(chat, asked())


async def test_of_two_choices_both_must_have_ended() -> None:
    with pytest.raises(UpstreamBroke):
        await pieces_of(engine(Server(streamed(event("Hello", "stop")))), asked(n=2))


@pytest.mark.parametrize("chunk", [b'{"choices": ["x"]}', b'{"choices": 7}', b'{"choices": [{"delta": "x"}]}'])
async def test_a_chunk_that_cannot_be_read_is_the_server_s_failure(chunk: bytes) -> None:
    with pytest.raises(UpstreamBroke, match="can't be read"):
        await pieces_of(engine(Server(streamed(b"data: " + chunk + b"\n\n", DONE))), asked())


REFUSAL = {"error": {"message": "Unknown field: stream_options", "param": "stream_options"}}


async def test_a_server_that_does_not_know_stream_options_is_asked_without_them_once_and_for_all() -> None:
    server = Server(told(REFUSAL, 400), streamed(event("Hello", "stop"), DONE))
    chat = engine(server)
    for _ in range(2):
        assert text_of(await pieces_of(chat, asked())) == "Hello"
    assert ["stream_options" in body for body in server.bodies] == [True, False, False]


async def test_a_caller_who_asked_for_them_is_told_that_it_does_not() -> None:
    server = Server(told(REFUSAL, 400))
    with pytest.raises(UpstreamRefused):
        await pieces_of(engine(server), asked(stream_options={"include_usage": True}))
    with pytest.raises(UpstreamRefused):
        await pieces_of(engine(Server(told({"error": {"message": "Bad temperature"}}, 400))), asked())
    assert len(server.bodies) == 1


async def test_a_server_that_does_not_stream_has_failed() -> None:
    with pytest.raises(UpstreamBroke, match="did not stream"):
        await pieces_of(engine(Server(told(WHOLE))), asked())


async def test_usage_that_the_server_does_not_give_is_counted_where_a_tokenizer_is_declared(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes(TOKENIZER)
    silent = {name: value for name, value in WHOLE.items() if name != "usage"}
    given = tmp_path / "tokenizer.json"
    whole = await engine(Server(told(silent)), given).complete(asked())
    assert whole.usage is not None
    assert (whole.usage["completion_tokens"], whole.usage["estimated"]) == (1, True)
    (*_, last) = await pieces_of(engine(Server(streamed(event("Hello"), event("", "stop"), DONE)), given), asked())
    assert last.usage == whole.usage
    assert (await engine(Server(told(silent))).complete(asked())).usage is None


async def test_a_text_to_go_on_from_is_asked_for_as_a_completion_and_read_as_a_chat() -> None:
    answers = [{"index": at, "text": f"{at}!", "finish_reason": "stop"} for at in range(2)]
    server = Server(told({"choices": answers, "usage": USAGE}))
    one = [{"role": "user", "content": "One"}]
    answer = await engine(server).complete(asked(raw_prompts=True, messages=one * 2))
    assert [choice["message"]["content"] for choice in answer.choices] == ["0!", "1!"]
    await engine(server).complete(asked(raw_prompts=True, messages=one))
    assert server.paths == ["/completions"] * 2
    assert [body["prompt"] for body in server.bodies] == [["One", "One"], "One"]
    assert not {"messages", "raw_prompts"} & set(server.bodies[0])


@pytest.mark.parametrize("status", [404, 405, 501])
async def test_a_server_that_has_chats_only_is_not_taken_for_one_that_failed(status: int) -> None:
    chat = engine(Server(told({"error": {"message": "no"}}, status)))
    with pytest.raises(NoCompletions):
        await chat.complete(asked(raw_prompts=True))
    with pytest.raises(NoCompletions):
        await pieces_of(chat, asked(raw_prompts=True))


async def test_comments_say_nothing_however_many_come() -> None:
    patient = Server(streamed(b": ping\n\n" * 3, event("Hello", "stop"), DONE))
    assert text_of(await pieces_of(engine(patient), asked())) == "Hello"
    for answer in (streamed(b": ping\n\n", event("Hello")), Answer(b"\n", b"{}")):
        with pytest.raises(PeerTimeout, match="The server behind the model 'far' did not answer"):
            chat = engine(Server(answer, timeout_seconds=-1.0))
            await (pieces_of(chat, asked()) if answer.headers else chat.complete(asked()))


async def test_a_server_with_nothing_to_ask_is_ready_and_others_say_why_they_are_not() -> None:
    silent = Server(told({}, 503))
    await engine(silent, ready_path=None).probe()
    assert silent.paths == []
    with pytest.raises(UpstreamBroke, match="refused the key"):
        await engine(Server(told({"error": {"message": "no"}}, 401))).probe()
    await engine(Server(told(["models"]))).probe()


@pytest.mark.parametrize(
    ("usage", "read"),
    [
        (USAGE, USAGE),
        ({"prompt_tokens": 3, "completion_tokens": 2}, USAGE),
        ({"prompt_tokens": 3}, {"prompt_tokens": 3, "total_tokens": 3}),
        ({"total_tokens": 7}, {"total_tokens": 7}),
        ({"prompt_tokens": 3, "total_tokens": None}, {"prompt_tokens": 3, "total_tokens": 3}),
        ({}, None),
        ({"prompt_tokens": "3"}, None),
        (None, None),
        ([1], None),
    ],
)
def test_usage_is_read_with_its_total_or_not_at_all(usage: Any, read: Any) -> None:
    assert usage_in({"usage": usage}) == read
