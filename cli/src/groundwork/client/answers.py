"""Answers, mostly from documents: `client.ask`, `client.ask_stream` and `client.answer`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from contracts.models.chat import STREAM_END, AnswerOptions, AnswerReport, ChatCompletionChunk, ChatUsage
from contracts.models.citations import Annotation
from contracts.models.completions import TextCompletion
from contracts.operations.models import CREATE_CHAT_COMPLETION, CREATE_COMPLETION
from groundwork.client.connection import Connection
from groundwork.errors import UnexpectedAnswer

ANSWER_SECONDS = 300.0


@dataclass(frozen=True)
class Answer:
    """A whole answer. Each citation stands at `text[citation.index]` with its `marker`."""

    text: str
    citations: list[Annotation] = field(default_factory=list)
    report: AnswerReport | None = None
    usage: ChatUsage | None = None
    id: str | None = None
    """What feedback and records call it."""


@dataclass(frozen=True)
class TextDelta:
    """The next piece of the text."""

    text: str


@dataclass(frozen=True)
class AnswerDone:
    """The end of a stream: the whole answer, with its citations and report."""

    answer: Answer


AnswerEvent = TextDelta | AnswerDone


def ask(connection: Connection, collections: str | Sequence[str], question: str, options: AnswerOptions) -> Answer:
    """The whole answer in one piece."""
    return _answer(connection, _body(collections, question, options))


def answer(connection: Connection, model: str, question: str, user: str | None) -> Answer:
    """The same of any model that answers, a route too; `user` is who asks, by the caller's own name."""
    body = {"model": model, "messages": [{"role": "user", "content": question}]}
    return _answer(connection, body if user is None else {**body, "user": user})


def _answer(connection: Connection, body: Mapping[str, Any]) -> Answer:
    completion = connection.model(CREATE_CHAT_COMPLETION, json=body, timeout=ANSWER_SECONDS)
    if not completion.choices:
        raise UnexpectedAnswer("The answer has no choices; see the server's log.")
    message = completion.choices[0].message
    report = completion.groundwork if isinstance(completion.groundwork, AnswerReport) else None
    return Answer(message.content or "", message.annotations or [], report, completion.usage, completion.id)


def ask_stream(
    connection: Connection, collections: str | Sequence[str], question: str, options: AnswerOptions
) -> Iterator[AnswerEvent]:
    """The answer as it comes: `TextDelta`s, then one `AnswerDone`."""
    body = {**_body(collections, question, options), "stream": True, "stream_options": {"include_usage": True}}
    pieces: list[str] = []
    citations: list[Annotation] = []
    report: AnswerReport | None = None
    usage: ChatUsage | None = None
    answer_id: str | None = None
    with connection.events(CREATE_CHAT_COMPLETION, json=body, timeout=ANSWER_SECONDS) as events:
        for event in events:
            if event.data == STREAM_END:
                break
            chunk = _chunk(event.data)
            usage, answer_id = chunk.usage or usage, chunk.id
            if isinstance(chunk.groundwork, AnswerReport):
                report = chunk.groundwork
            for choice in chunk.choices:
                citations.extend(choice.delta.annotations or [])
                if choice.delta.content:
                    pieces.append(choice.delta.content)
                    yield TextDelta(choice.delta.content)
        else:
            raise UnexpectedAnswer("The answer broke off before its end. Ask again.")
    yield AnswerDone(Answer("".join(pieces), citations, report, usage, answer_id))


def chat(connection: Connection, model: str, text: str, parameters: Mapping[str, Any]) -> str:
    """What a model answers to one message."""
    body = {**parameters, "model": model, "messages": [{"role": "user", "content": text}]}
    completion = connection.model(CREATE_CHAT_COMPLETION, json=body, timeout=ANSWER_SECONDS)
    if not completion.choices:
        raise UnexpectedAnswer("The answer has no choices; see the server's log.")
    return completion.choices[0].message.content or ""


def complete(
    connection: Connection, model: str, prompt: str | Sequence[str], parameters: Mapping[str, Any]
) -> TextCompletion:
    """How a model goes on with a text, or with each of several."""
    body = {**parameters, "model": model, "prompt": prompt if isinstance(prompt, str) else list(prompt)}
    completion = connection.model(CREATE_COMPLETION, json=body, timeout=ANSWER_SECONDS)
    if not completion.choices:
        raise UnexpectedAnswer("The answer has no choices; see the server's log.")
    return completion


def _chunk(data: str) -> ChatCompletionChunk:
    try:
        return ChatCompletionChunk.model_validate_json(data)
    except ValidationError:
        raise UnexpectedAnswer("The stream holds something else than chat completion chunks.") from None


def _body(collections: str | Sequence[str], question: str, options: AnswerOptions) -> dict[str, Any]:
    names = collections if isinstance(collections, str) else ",".join(collections)
    body: dict[str, Any] = {"model": f"rag:{names}", "messages": [{"role": "user", "content": question}]}
    chosen = json.loads(options.model_dump_json(exclude_defaults=True))
    return {**body, "groundwork": chosen} if chosen else body
