"""How a reading model of inference reads passages, with what it sees in them: in bulk, behind whoever waits, and
uncharged."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from contracts.models.catalog import ModelInfo, ModelKind, RerankReply, RerankRequest
from contracts.models.reading import ReadingReply, ReadingRequest
from lab.tuning.errors import NotAReadingModel
from lab.tuning.method import Work
from lab.tuning.sources.examples import asked
from lab.tuning.sources.passages import Searched
from lab.tuning.sources.vector_file import append
from servicekit.core.errors import PeerError
from servicekit.peers.client import Peer, PeerMalformed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SECONDS = 300.0
"""For the passages of one question, behind whatever else is read."""
ROWS, READ = "rows.f32", "rows.json"
_NO_FEATURES = 400


@dataclass(frozen=True, slots=True)
class Rows:
    """Of one question's passages, each as float32: the chance that it answers, then its features."""

    content: bytes
    width: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Readings:
    """By inference."""

    inference: Peer

    async def model(self, work: Work) -> ModelInfo:
        """The job's; raises `NotAReadingModel`."""
        path = f"/v1/models/{quote(work.model, safe='')}"
        model = await self.inference.call("GET", path, ModelInfo, token=await work.token())
        if model.kind != "reading":
            raise NotAReadingModel(work.model, f"it is for {model.kind}")
        return model

    async def check(self, work: Work, model: ModelInfo) -> int:
        """That it gives features, before any search is charged, and the tokens that this took; raises
        `NotAReadingModel`."""
        question = asked(work.held_out[0])
        searched = [Searched(work.held_out[0].id, question, [question], [False])]
        return sum([rows.tokens async for rows in self.read(work, model, searched)])

    async def read(self, work: Work, model: ModelInfo, searched: Sequence[Searched]) -> AsyncIterator[Rows]:
        """A question's passages at a time; raises `NotAReadingModel` where the model gives no features."""
        import numpy as np

        for one in searched:
            reply = await self._ask(work, model.id, one, features=True)
            rows = [
                [each.answers or 0.0, *np.frombuffer(base64.b64decode(features), dtype="<f4").tolist()]
                for each, features in zip(reply.passages, reply.features, strict=False)
            ]
            widths = {len(row) for row in rows}
            if len(rows) != len(one.texts) or len(widths) != 1:
                raise PeerMalformed(self.inference.name)
            yield Rows(np.array(rows, dtype="<f4").tobytes(), widths.pop(), reply.usage.total_tokens)

    async def features(self, work: Work, model: ModelInfo, one: Searched) -> tuple[NDArray[np.float32], int]:
        """Of one question's passages, a row each, and the tokens that were read."""
        import numpy as np

        async for rows in self.read(work, model, [one]):
            return np.frombuffer(rows.content, dtype="<f4").reshape(-1, rows.width), rows.tokens
        raise PeerMalformed(self.inference.name)

    async def chances(self, work: Work, model: str, kind: ModelKind, one: Searched) -> tuple[list[float], int]:
        """That each passage answers, as a served model of either kind says, and the tokens that were read."""
        if kind == "reading":
            read = await self._ask(work, model, one, features=False)
            return [each.answers or 0.0 for each in read.passages], read.usage.total_tokens
        body = RerankRequest(model=model, query=one.question, documents=list(one.texts))
        ranked = await self.inference.call(
            "POST", "/v1/rerank", RerankReply, token=await work.token(), body=body, timeout_seconds=SECONDS
        )
        tokens = int(ranked.usage.get("total_tokens") or 0)
        return [each.relevance_score for each in sorted(ranked.results, key=lambda each: each.index)], tokens

    async def _ask(self, work: Work, model: str, one: Searched, *, features: bool) -> ReadingReply:
        body = ReadingRequest(
            model=model, question=one.question, passages=one.texts, priority="bulk", features=features
        )
        try:
            return await self.inference.call(
                "POST", "/v1/reading", ReadingReply, token=await work.token(), body=body, timeout_seconds=SECONDS
            )
        except PeerError as error:
            if error.http_status == _NO_FEATURES:
                raise NotAReadingModel(work.model, "it gives nothing that could be learnt on") from None
            raise

    async def keep(
        self, work: Work, model: ModelInfo, searched: Sequence[Searched], checked: int, more: int
    ) -> tuple[int, int]:
        """Have all rows in the job's folder, from where an earlier attempt was; the tokens that were read, with those
        of the check, and the numbers of a row. `more` steps come behind these."""
        name = await asyncio.to_thread(name_of, model, searched)
        done, width, tokens = await asyncio.to_thread(_begin, work.folder, name, searched)
        passages = sum(len(one.texts) for one in searched[:done])
        total = len(searched) + sum(len(one.texts) for one in searched) + more
        async for rows in self.read(work, model, searched[done:]):
            if width not in (0, rows.width):
                raise NotAReadingModel(model.id, "it is another one now")
            await asyncio.to_thread(append, work.folder / ROWS, rows.content)
            passages += len(searched[done].texts)
            tokens, width, done = tokens + rows.tokens, rows.width, done + 1
            note = {"name": name, "done": done, "width": width, "tokens": tokens}
            await asyncio.to_thread(_note, work.folder, note)
            await work.report.step(len(searched) + passages, total, tokens + checked, {})
        return tokens + checked, width


def name_of(model: ModelInfo, searched: Sequence[Searched]) -> str:
    """Of what this model says of these questions' passages."""
    seen = hashlib.sha256(f"{model.id} {model.digest}".encode())
    for one in searched:
        seen.update(json.dumps([one.question, one.texts]).encode())
    return seen.hexdigest()


def _begin(folder: Path, name: str, searched: Sequence[Searched]) -> tuple[int, int, int]:
    """How many questions' rows of this name are there, whole, how wide they are, and the tokens that were read for
    them, and for others before; what is beyond is removed. A note of an earlier version has no name: all is read again,
    and counted once, as a job's tokens never become fewer."""
    folder.mkdir(parents=True, exist_ok=True)
    note, file = folder / READ, folder / ROWS
    known = json.loads(note.read_text(encoding="utf-8")) if note.is_file() and file.is_file() else {}
    if known.get("name") != name:
        file.write_bytes(b"")
        return 0, 0, known.get("tokens", 0)
    done, width = known["done"], known["width"]
    with file.open("r+b") as written:
        written.truncate(4 * width * sum(len(one.texts) for one in searched[:done]))
    return done, width, known["tokens"]


def _note(folder: Path, note: Mapping[str, Any]) -> None:
    part = folder / f"{READ}.part"
    part.write_text(json.dumps(note), encoding="utf-8")
    part.replace(folder / READ)
