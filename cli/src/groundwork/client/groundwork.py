"""The client's front door."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import IO, Any, Literal, Self

import httpx2

from contracts.access.keys import UsageGroup, UsageRow
from contracts.access.sessions import Me, SessionToken
from contracts.core.health import Health
from contracts.models.catalog import Embedding, ModelDeclaration, ModelInfo
from contracts.models.chat import AnswerOptions
from contracts.models.classification import Classification
from contracts.models.completions import TextCompletion
from contracts.operations.administration import BACK_UP, READINESS
from contracts.operations.documents import SEARCH_COLLECTION
from contracts.operations.models import (
    CLASSIFY,
    CREATE_EMBEDDINGS,
    DELETE_MODEL,
    GET_MODEL,
    LIST_MODELS,
    PUT_MODEL,
    SET_DEFAULT_MODEL,
)
from contracts.operations.sessions import CREATE_SESSION_TOKEN, GET_ME
from contracts.retrieval.search import Filter, SearchMode, SearchOptions, SearchReply
from groundwork.client import administration, answers
from groundwork.client.agents import Agents, Runs, Threads
from groundwork.client.collections import Collections
from groundwork.client.connection import DEFAULT_SECONDS, Connection, api_error, parse
from groundwork.client.documents import Documents
from groundwork.client.improvement.evaluations import Evaluations
from groundwork.client.improvement.feedback import FeedbackCalls
from groundwork.client.improvement.monitors import Monitors
from groundwork.client.improvement.question_generation import QuestionGeneration
from groundwork.client.improvement.question_sets import QuestionSets
from groundwork.client.improvement.records import Records
from groundwork.client.improvement.sweeps import Sweeps
from groundwork.client.improvement.tuning import Tuning
from groundwork.client.jobs import Jobs
from groundwork.client.prompts import Prompts
from groundwork.client.pulls import Pulls

LOAD_SECONDS = 70.0
"""Longer than inference waits for a model that is added."""
BACKUP_SECONDS = 900.0
"""Longest silence of a backup."""


class Groundwork:
    """One server, seen with one key. A context manager; safe to use from several threads.

    Every call is bounded by `timeout` seconds (uploads and answers by longer limits of their own) and raises
    `ApiError` for the server's errors and `Unreachable` when there is no answer.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str | None = None,
        *,
        timeout: float = DEFAULT_SECONDS,
        transport: httpx2.BaseTransport | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`tls`: which certificates of an https:// server are believed, instead of those that this system believes."""
        self._connection = Connection(base_url, api_key, timeout=timeout, transport=transport, tls=tls)
        self._reached_by = partial(Groundwork, base_url, timeout=timeout, transport=transport, tls=tls)
        self.base_url = self._connection.base_url
        self.collections = Collections(self._connection)
        self.pulls = Pulls(self._connection)
        self.documents = Documents(self._connection)
        self.jobs = Jobs(self._connection)
        self.agents = Agents(self._connection)
        self.prompts = Prompts(self._connection)
        self.threads = Threads(self._connection)
        self.runs = Runs(self._connection)
        self.feedback = FeedbackCalls(self._connection)
        self.records = Records(self._connection)
        self.question_sets = QuestionSets(self._connection)
        self.question_generation = QuestionGeneration(self._connection)
        self.evaluations = Evaluations(self._connection)
        self.sweeps = Sweeps(self._connection)
        self.monitors = Monitors(self._connection)
        self.tuning = Tuning(self._connection)
        self.keys = administration.Keys(self._connection)
        self.tenants = administration.Tenants(self._connection)
        self.routes = administration.Routes(self._connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def with_key(self, api_key: str) -> Groundwork:
        """The same server, seen with another key. Close it, too."""
        return self._reached_by(api_key)

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    def search(
        self,
        collection: str,
        query: str,
        *,
        limit: int = 10,
        offset: int = 0,
        filter: Filter | None = None,  # noqa: A002  # the API's word
        mode: SearchMode | None = None,
        rerank: bool | None = None,
        rerank_model: str | None = None,
        group_by: Literal["document"] | None = None,
        min_score: float | None = None,
        neighbours: int = 0,
    ) -> SearchReply:
        """The chunks that fit a query best; with `neighbours` (up to 3), those before and after each, too."""
        body = SearchOptions.model_construct(
            query=query,
            limit=limit,
            offset=offset,
            filter=filter,
            mode=mode,
            rerank=rerank,
            rerank_model=rerank_model,
            group_by=group_by,
            min_score=min_score,
            neighbours=neighbours,
        )
        return self._connection.model(SEARCH_COLLECTION, collection, json=body.model_dump(exclude_none=True))

    def ask(
        self, collections: str | Sequence[str], question: str, options: AnswerOptions | None = None
    ) -> answers.Answer:
        """The answer to a question from one or several collections, in one piece."""
        return answers.ask(self._connection, collections, question, options or AnswerOptions())

    def ask_stream(
        self, collections: str | Sequence[str], question: str, options: AnswerOptions | None = None
    ) -> Iterator[answers.AnswerEvent]:
        """The same as it comes: `TextDelta`s, then one `AnswerDone` with citations and report."""
        return answers.ask_stream(self._connection, collections, question, options or AnswerOptions())

    def answer(self, model: str, question: str, *, user: str | None = None) -> answers.Answer:
        """The answer of a model, `rag:`, `prompt:`, `agent:` or route, with its id, by which it is rated. `user` is who
        asks, by your own name for them: a route that is split by user keeps to it."""
        return answers.answer(self._connection, model, question, user)

    def chat(self, model: str, text: str, **parameters: Any) -> str:
        """What a model (`rag:`, `agent:` and `prompt:` too) answers to one message; `parameters` are a chat's."""
        return answers.chat(self._connection, model, text, parameters)

    def complete(self, model: str, prompt: str | Sequence[str], **parameters: Any) -> TextCompletion:
        """How a plain model goes on with a text, or with each of several, without a chat template: `echo` and
        `logprobs` tell how likely the text itself is, where the model's server says it."""
        return answers.complete(self._connection, model, prompt, parameters)

    def models(self) -> list[ModelInfo]:
        """Every model that the key may use, `rag:` models included."""
        return self._connection.model(LIST_MODELS).data

    def model(self, name: str) -> ModelInfo:
        """One model: with its digest, what it does now, and why it is not ready."""
        return self._connection.model(GET_MODEL, name)

    def put_model(self, name: str, declaration: ModelDeclaration) -> ModelInfo:
        """Add a model or replace one that was added (admin scope). `model_sources.at` makes declarations.

        Look at `state` and `reason` of the answer: a model that can't be loaded stays declared.
        """
        body = declaration.model_dump(mode="json", exclude_unset=True)
        return self._connection.model(PUT_MODEL, name, json=body, timeout=LOAD_SECONDS)

    def delete_model(self, name: str) -> None:
        """Remove a model that was added (admin scope)."""
        self._connection.call(DELETE_MODEL, name)

    def set_default_model(self, name: str) -> ModelInfo:
        """Have `default` mean this model for its kind (admin scope)."""
        return self._connection.model(SET_DEFAULT_MODEL, name)

    def embed(self, texts: Sequence[str], *, model: str = "default") -> list[Embedding]:
        """One vector a text, in order."""
        reply = self._connection.model(CREATE_EMBEDDINGS, json={"model": model, "input": list(texts)})
        return sorted(reply.data, key=lambda embedding: embedding.index)

    def classify(
        self, texts: Sequence[str], labels: Sequence[str] | Mapping[str, str] | None = None, *, model: str = "default"
    ) -> list[Classification]:
        """The likeliest label of each text, in order: one of `labels` (a mapping says what each is about), or without
        them one of a classification model's own."""
        body: dict[str, object] = {"model": model, "input": list(texts)}
        if isinstance(labels, Mapping):
            body["labels"] = [{"label": label, "text": text} for label, text in labels.items()]
        elif labels is not None:
            body["labels"] = list(labels)
        return self._connection.model(CLASSIFY, json=body).results

    def usage(
        self, *, group_by: UsageGroup = "model", since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[UsageRow]:
        """Usage by key, tenant, model or day (admin scope)."""
        return administration.usage(self._connection, group_by=group_by, since=since, until=until)

    def back_up(self, into: IO[bytes]) -> None:
        """Write a backup of everything of all tenants to `into` (admin scope), for `groundwork restore`."""
        self._connection.download(BACK_UP, into=into, timeout=BACKUP_SECONDS)

    def me(self) -> Me:
        """Whose key this is, and what it may do."""
        return self._connection.model(GET_ME)

    def session_token(self) -> SessionToken:
        """What signs one browser in as this key, once and within a minute: `/console/#token=…`."""
        return self._connection.model(CREATE_SESSION_TOKEN)

    def readiness(self) -> Health:
        """Whether the server can do its job now, with each part's state; needs no key."""
        response = self._connection.send(READINESS)
        if response.status_code not in (200, 503):
            raise api_error(response)
        return parse(Health, response)
