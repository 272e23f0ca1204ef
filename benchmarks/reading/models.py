"""What `make bench-reading` judges with: the agent's own nodes, with the packaged embeddings and any reading model."""

from __future__ import annotations

import asyncio
import math
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from research.calibration.data import Embedder

from agent.answering.drafting.drafts import DraftSentence
from agent.answering.drafting.sentence_check import check
from agent.answering.judgement import judge
from agent.answering.receipt import ReceiptBuilder
from agent.answering.state import Context
from agent.ports import Embedded, Reader, ReadPart
from agent.questions.question import Question
from agent.relevance.evidence import Evidence
from agent.relevance.lexicon import Lexicon
from agent.relevance.passages import passages
from agent.settings import AgentSettings
from agent.testing.memory_library import MemoryLibrary
from agent.testing.scripted_answers import ScriptedModels, ScriptedSearch
from benchmarks.reading.sets import Asked, Claim
from contracts.models.catalog import InputType
from contracts.models.reading import Languages, ReadingReply, ReadingRequest
from inference.bootstrap import open_dependencies
from inference.errors import Unsupported
from inference.protocol.engines import ReadingEngine
from inference.serving.reading import read
from inference.serving.served_model import ServedModel
from inference.settings import InferenceSettings

TOKENS = 256
"""Read of one text by a model that is named by its folder."""
PATIENCE = AgentSettings(reader_seconds=3600)


@dataclass
class LocalReader:
    """A `Reader` by a model in this process, that is asked the same only once."""

    served: ServedModel[ReadingEngine]
    known: dict[str, ReadingReply | None] = field(default_factory=dict)

    def may_read(self, part: ReadPart) -> bool:
        """As its files say."""
        return ("answers" if part == "passages" else "support") in self.served.ready().reads()

    @property
    def languages(self) -> Languages | None:
        """As it is declared."""
        return self.served.model.languages

    @property
    def alone(self) -> bool:
        """The same."""
        return self.served.model.reads_alone

    def named(self, model: str) -> LocalReader:
        """There is this one."""
        return self

    async def read(self, request: ReadingRequest, token: str) -> ReadingReply | None:
        """By inference, as if it were called."""
        key = request.model_dump_json()
        if key not in self.known:
            try:
                self.known[key] = await read(self.served, request)
            except Unsupported:
                self.known[key] = None
        return self.known[key]


@asynccontextmanager
async def open_reader(name: str) -> AsyncIterator[LocalReader]:
    """The reading model of that name in inference's models file, or of a folder."""
    with tempfile.TemporaryDirectory() as made:
        file = Path(made) / "models.yaml"
        file.write_text(yaml.safe_dump({"models": _declared(name)}))
        async with open_dependencies(InferenceSettings(models_file=file, data_dir=Path(made))) as dependencies:
            await dependencies.models.loaded()
            served = dependencies.models.reading("default")
            served.ready()
            yield LocalReader(served)


def _declared(name: str) -> list[dict[str, Any]]:
    if Path(name).is_dir():
        source = {"path": str(Path(name).resolve())}
        made = {"name": Path(name).name, "kind": "reading", "engine": "sentence-transformers", "source": source}
        return [{**made, "max_input_tokens": TOKENS, "default": True}]
    file = InferenceSettings().models_file
    models = {model["name"]: model for model in yaml.safe_load(file.read_text())["models"]}
    if models.get(name, {}).get("kind") != "reading":
        raise SystemExit(f"MODEL={name} is neither a folder nor a reading model of {file}")
    chat = models[name].get("source", {}).get("chat_model")
    asked = [one for one in models.values() if one["kind"] == "chat" and chat in (one["name"], "default")]
    return [{**models[name], "default": True}, *asked]


class Judgements:
    """Judges as the agent does: by rules alone, or with a reader."""

    def __init__(self, embed: Embedder) -> None:
        self._models = _Embeddings(embed)
        self._lexicon, self._texts = Lexicon(1_000_000), Lexicon(1_000_000)

    async def chance(self, asked: Asked, reader: Reader | None = None) -> float:
        """That the hits answer the question."""
        state = await judge({"standalone": asked.question, "hits": list(asked.hits)}, self.context(reader))
        return state["evidence"].chance

    async def is_supported(self, claim: Claim, least: float, reader: Reader | None = None) -> bool:
        """Whether `verify` would cite the source for the sentence; with a reader, from this chance on."""
        found = passages(claim.source)
        evidence = Evidence(Question(claim.sentence), found, found, [], [], 1.0)
        checked = await check(DraftSentence(claim.sentence, " "), evidence, self.context(reader, least))
        return checked is not None

    def context(self, reader: Reader | None, least: float = PATIENCE.reader_support) -> Context:
        """Of one question; `least` is the chance from which a source supports a sentence."""
        return Context(
            search=ScriptedSearch(),
            models=self._models,
            library=MemoryLibrary(),
            model=asyncio.get_running_loop().create_future(),
            settings=PATIENCE.model_copy(update={"reader_support": least}),
            token="",
            receipt=ReceiptBuilder("benchmark"),
            send=lambda _: None,
            closing=AsyncExitStack(),
            lexicon=self._lexicon,
            texts=self._texts,
            deadline=math.inf,
            reader=reader,
        )


class _Embeddings(ScriptedModels):
    """The packaged MiniLM's."""

    def __init__(self, embed: Embedder) -> None:
        super().__init__()
        self._embed = embed

    async def embed(
        self, texts: Sequence[str], token: str, model: str | None = None, kind: InputType | None = None
    ) -> Embedded:
        return Embedded(list(self._embed(texts)), 0)
