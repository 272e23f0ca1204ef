"""`embedding`: questions of a collection learn to be nearer to what answers them; its passages stay as they are.

The vectors come from inference, in bulk and uncharged; the learning is a process of its own, `python -m lab.training`.
numpy is imported when something is learnt: an idle lab does without it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contracts.improvement.question_sets import QuestionRecord
from contracts.improvement.tuning import FineTuningCreate
from contracts.models.catalog import InputType, ModelInfo
from lab.evaluations.documents import Documents
from lab.tuning.bases import Base, Bases
from lab.tuning.errors import CollectionUnfit, VectorsUnfit
from lab.tuning.gates.parity import Agreement
from lab.tuning.method import Trained, Work
from lab.tuning.methods.lora import alike, by_trainer, check_rank, formed_settings, is_lora, lora_job, steps_of
from lab.tuning.methods.process import Limits, disk_watched, learn, note_base, read_json
from lab.tuning.methods.token_bound import TokenBound
from lab.tuning.sources.collection import Chunks, CollectionReader
from lab.tuning.sources.examples import Example, asked, collection_of, examples_of
from lab.tuning.sources.vector_file import KEY, VECTORS, Read, append, begin, name_of, note, unit_rows
from lab.tuning.sources.vectors import TextVectors
from servicekit.core.errors import PeerError
from servicekit.peers.client import Peer

AUTO_L2 = 30.0
"""What gave dense and hybrid search the most on questions of a public set: docs/measured.md."""
MOST_DIMENSIONS = 1024
"""What is learnt has their square of numbers, some twenty times in memory."""
STEPS = 40
"""Of the learning, behind one for each text that is embedded."""
_GONE = 404


@dataclass(frozen=True, slots=True)
class Embedding:
    """As `Method` says."""

    inference: Peer
    documents: Documents
    limits: Limits
    bases: Bases
    name: str = "embedding"
    needs: Sequence[str] = ()
    learns_answers: bool = True

    def settings(self, wanted: FineTuningCreate) -> dict[str, Any]:
        """As `Method` says; raises `HyperparametersUnfit`."""
        return formed_settings(wanted, self.name, wanted.method.embedding, AUTO_L2)

    def teaches(self, question: QuestionRecord) -> bool:
        """One that names a document which answers it."""
        return bool(question.documents)

    async def train(self, work: Work) -> Trained:
        """As `Method` says; raises `NotAnEmbeddingModel`, `VectorsUnfit`, `CollectionUnnamed`, `CollectionUnfit` or
        `TooFewExamples`; by `lora` `MatricesTooLarge` or `TooManyTokens`."""
        vectors = TextVectors(self.inference)
        model = await self._model(work)
        collection = work.settings["collection"] or collection_of([*work.train, *work.held_out])
        reader = CollectionReader(self.documents, collection, work.token)
        await self._check_bound(work, model, reader)
        base = await check_rank(work, self.bases, model, self.name) if is_lora(work.settings) else None
        chunks = await reader.chunks()
        train, held_out = await asyncio.to_thread(examples_of, work, chunks, collection)
        if base is not None:
            await asyncio.to_thread(_check_size, base, self.limits.most_tokens, work, train, held_out)
        await work.report.say(
            f"{len(train)} questions learn to find their documents among {len(chunks.texts)} chunks of "
            f"{len(chunks.documents)} documents of '{collection}'."
        )
        texts: dict[InputType, Sequence[str]] = {
            "passage": chunks.texts,
            "query": [asked(one.question) for one in [*train, *held_out]],
        }
        with disk_watched():
            later = steps_of(work.settings, len(train)) if is_lora(work.settings) else STEPS
            tokens = await self._embed(work, model, texts, later)
            job = {**_job(work, self.limits, model, chunks, train, held_out), "steps": later}
            if is_lora(work.settings):
                name = (await asyncio.to_thread(read_json, work.folder / KEY))["name"]
                job |= {**await lora_job(work, self.bases, self.limits, model, name), "general": []}
            result = await learn(work, self.limits, job, sum(map(len, texts.values())), tokens)
        await note_base(work, await vectors.model(work))  # it may be another one after minutes
        return _trained(model, chunks, result, tokens, work.settings)

    def checks(self, settings: Mapping[str, Any]) -> bool:
        """What is learnt of vectors are the numbers that are served; an encoder could be another one."""
        return is_lora(settings)

    async def served_agreement(
        self, work: Work, candidate: str, questions: Sequence[QuestionRecord], artifact: bytes
    ) -> Agreement:
        """As `ServedCheck` says: whether questions have the trainer's vectors, of what was learnt and of its base."""
        vectors = TextVectors(self.inference)
        model, texts = await vectors.model(work), {one.id: asked(one) for one in questions}
        await note_base(work, model)
        with disk_watched():
            wanted = await by_trainer(work, self.bases, self.limits, model, list(texts.values()), artifact)
        shares, spent = {}, work.known_tokens
        for which, name in (("base", model.id), ("tuned", candidate)):
            served = model.model_copy(update={"id": name, "asymmetric": True})
            parts = [part async for part in vectors.embed(work, served, list(texts.values()), "query")]
            spent += sum(part.tokens for part in parts)
            await work.report.read(spent)
            shares[which] = dict(
                zip(texts, alike([row for part in parts for row in part.rows], wanted[which]), strict=True)
            )
        return Agreement(**shares)

    async def _model(self, work: Work) -> ModelInfo:
        model = await TextVectors(self.inference).model(work)
        if model.embedding_model is not None:
            why = f"it was learnt on '{model.embedding_model}' itself. Start from that model"
            raise VectorsUnfit(model.id, why)
        if not 0 < (model.dimensions or 0) <= MOST_DIMENSIONS:
            why = f"they have {model.dimensions} numbers, of which at most {MOST_DIMENSIONS} can be learnt on"
            raise VectorsUnfit(model.id, f"{why}. Choose a smaller model")
        await note_base(work, model)
        return model

    async def _check_bound(self, work: Work, model: ModelInfo, reader: CollectionReader) -> None:
        """The collection's vectors are the model's, or those of what was learnt on it before."""
        question = asked(work.train[0])
        bound = await reader.embedded_by(question, f"{work.job_id}.look")
        if bound in (None, model.id):
            return
        try:
            below = (await TextVectors(self.inference).named(work, bound)).embedding_model
        except PeerError as error:
            if error.http_status != _GONE:
                raise
            below = None
        if below != model.id:
            raise CollectionUnfit(
                reader.name,
                f"its vectors are those of the model '{bound}', not of '{model.id}'. Tune that model, or reindex the "
                "collection with this one",
            )

    async def _embed(self, work: Work, model: ModelInfo, texts: Mapping[InputType, Sequence[str]], later: int) -> int:
        """Have all vectors in the job's folder, from where an earlier attempt was; the tokens that were read."""
        total, first = sum(map(len, texts.values())), 0
        name = await asyncio.to_thread(name_of, model, texts)
        read = await asyncio.to_thread(begin, work.folder, name, model.dimensions or 0, work.known_tokens)
        for kind, some in texts.items():
            async for part in TextVectors(self.inference).embed(work, model, some[max(0, read.rows - first) :], kind):
                rows = await asyncio.to_thread(unit_rows, part.rows, model)
                await asyncio.to_thread(append, work.folder / VECTORS, rows)
                count, tokens, cut = read.rows + len(part.rows), read.tokens + part.tokens, read.cut + part.cut
                read = Read(name, count, tokens, cut)
                await asyncio.to_thread(note, work.folder, read)
                await work.report.step(read.rows, total + later, read.tokens, {})
            first += len(some)
        if read.cut:
            words = f"{read.cut} texts are longer than '{model.id}' reads: their beginning alone is learnt."
            await work.report.say(words)
        return read.tokens


def _check_size(base: Base, most: int, work: Work, train: Sequence[Example], held_out: Sequence[Example]) -> None:
    """Before anything is embedded: raises `TooManyTokens`. Blocks."""
    bound, epochs = TokenBound.open(base, most), int(work.settings["n_epochs"])
    for some, times in ((train, epochs), (held_out, epochs + 1)):
        bound.add_questions([asked(one.question) for one in some], times)
    bound.check()


def _job(
    work: Work, limits: Limits, model: ModelInfo, chunks: Chunks, train: Sequence[Example], held_out: Sequence[Example]
) -> dict[str, Any]:
    return {
        "method": "embedding",
        "vectors": VECTORS,
        "dimensions": model.dimensions,
        "threads": limits.threads,
        "l2": work.settings.get("l2"),
        "owners": list(chunks.owners),
        "train": [
            {"id": one.question.id, "question": asked(one.question), "chunks": list(one.chunks)} for one in train
        ],
        "held_out": [
            {"id": one.question.id, "question": asked(one.question), "grades": dict(one.grades)} for one in held_out
        ],
    }


def _trained(
    model: ModelInfo, chunks: Chunks, result: Mapping[str, Any], tokens: int, settings: Mapping[str, Any]
) -> Trained:
    about = {"embedding_model": model.id, "embedding_digest": model.digest, "dimensions": model.dimensions}
    if is_lora(settings):
        learnt = {**about, "rank": settings["rank"], "matrices": result["matrices"]}
    else:
        learnt = {**about, "down": result["down"], "up": result["up"]}
    counts = {"chunks": float(len(chunks.texts)), "documents": float(len(chunks.documents))}
    return Trained(
        artifact=json.dumps(learnt).encode(),
        before=result["before"],
        after=result["after"],
        measure="retrieval_ndcg_10",
        kind="embedding",
        tokens=tokens + result.get("tokens", 0),
        figures={**result["figures"], **counts},
    )
