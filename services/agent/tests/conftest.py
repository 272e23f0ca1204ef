"""The answer graph over shipped scripts: no sockets, no models."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pytest_socket import disable_socket

from agent.answering.completions import chunks, collect
from agent.answering.graph import Answering
from agent.questions.conversation import read_conversation
from agent.settings import AgentSettings
from agent.testing.memory_library import MemoryLibrary
from agent.testing.scripted_answers import PACKAGED, ScriptedModels, ScriptedSearch, echo, hit
from agent.testing.scripted_reader import ScriptedReader
from contracts.access.delegation import Delegation
from contracts.core.abstention import Abstain
from contracts.documents.documents import DocumentChunk
from contracts.models.catalog import ModelInfo
from contracts.models.chat import ChatCompletion, ChatCompletionChunk, ChatRequest
from contracts.retrieval.search import Hit
from servicekit.sql.database import Database

from .runs_bench import open_database

LEAVE = hit(
    "# Leave Policy\n\nFull-time employees get 27 days of paid leave per year. "
    "Part-time employees get a share of it.\n\n"
    "Unused days can be carried over until 30 June.",
    "leave-policy",
)
PRICES = hit(
    "Order no. | Product | Price\n10-2100 | Heron S2 | EUR 189\n20-1100 | Causeway G1 Solar | EUR 1,180",
    "price-list",
    start=400,
    rank=1,
)
LEAVE_QUESTION = "How many days of paid leave do full-time employees get per year?"


@pytest.fixture(autouse=True)
def _no_sockets() -> None:
    disable_socket(allow_unix_socket=True)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await open_database(tmp_path)
    yield database
    await database.close()


def delegation(collections: tuple[str, ...] | None = None, abstain: Abstain | None = None) -> Delegation:
    return Delegation(
        audiences=("agent",),
        tenant="acme",
        key_id="key_1",
        collections=collections,
        request_id="req_1",
        abstain=abstain,
    )


def chat_request(*said: str, **more: Any) -> ChatRequest:
    """A request with these user messages in turn, an answer between each."""
    messages: list[dict[str, str]] = []
    for text in said:
        messages += [{"role": "user", "content": text}, {"role": "assistant", "content": "Noted."}]
    return ChatRequest.model_validate({"model": "rag:handbook", "messages": messages[:-1], **more})


@dataclass
class Bench:
    """An answer graph over scripts, and short words for what the tests do with it."""

    hits: Sequence[Hit] = (LEAVE, PRICES)
    says: str = ""
    info: ModelInfo | None = field(default_factory=lambda: PACKAGED)
    settings: AgentSettings = field(default_factory=AgentSettings)
    reader: ScriptedReader | None = None
    key_abstain: Abstain | None = None
    search: ScriptedSearch = field(init=False)
    models: ScriptedModels = field(init=False)

    def __post_init__(self) -> None:
        self.search = ScriptedSearch(self.hits)
        self.models = ScriptedModels(echo(self.says), self.info)

    @property
    def answering(self) -> Answering:
        held = {(one.collection, one.document_id): list[DocumentChunk]() for one in self.hits}
        return Answering(self.search, self.models, MemoryLibrary(held), self.settings, self.reader)

    async def stream(self, *said: str, **more: Any) -> list[ChatCompletionChunk]:
        request = chat_request(*said, **more)
        events = self.answering.events(
            read_conversation(request, delegation(abstain=self.key_abstain)), request, "token", "req_1"
        )
        return [chunk async for chunk in chunks(events, request.model)]

    async def ask(self, *said: str, **more: Any) -> ChatCompletion:
        request = chat_request(*said, **more)
        events = self.answering.events(
            read_conversation(request, delegation(abstain=self.key_abstain)), request, "token", "req_1"
        )
        return await collect(chunks(events, request.model))


def content_of(answer: ChatCompletion) -> str:
    return answer.choices[0].message.content or ""
