"""The form `lora` of the methods that learn on a reading model; that of `embedding` is in `test_embedding`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from services.lab.tests.generation.asking import Library
from services.lab.tests.training.encoders.test_embedding import write_encoder
from services.lab.tests.training.encoders.test_reading import head
from services.lab.tests.tuning.methods.test_classification import Said
from services.lab.tests.tuning.methods.test_embedding import Encoders, Manuals
from services.lab.tests.tuning.methods.test_embedding import Inference as Texts
from services.lab.tests.tuning.methods.test_embedding import _work as _embedding_work
from services.lab.tests.tuning.methods.test_reading import DIGEST, MODEL, Inference, _texts, _work
from services.lab.tests.tuning.methods.test_rerank import Misled

from contracts.models.catalog import RerankReply, RerankResult
from lab.training.frozen.correction import chances_of
from lab.tuning.bases import Base, Bases
from lab.tuning.errors import BaseReplaced, MatricesTooLarge, TooManyTokens
from lab.tuning.gates.parity import CHANCES, is_checked, parity_of
from lab.tuning.method import Figures, Trained
from lab.tuning.methods.embedding import Embedding
from lab.tuning.methods.process import Limits
from lab.tuning.methods.reading import MOST_BESIDE, MOST_CHECKED, Reading
from lab.tuning.methods.rerank import Rerank
from lab.tuning.publication import inside_of
from lab.tuning.sources.passages import BESIDE, NAME

LORA: Mapping[str, Any] = {
    "form": "lora",
    "n_epochs": 2,
    "batch_size": 8,
    "learning_rate_multiplier": 1.0,
    "rank": 2,
    "schedule": "constant",
}
METHODS = {"reading": Reading, "rerank": Rerank}


class Hearing(Said):
    """A job that has epochs."""

    def __init__(self) -> None:
        super().__init__()
        self.epochs: list[Figures] = []

    async def checkpoint(self, step: int, figures: Figures) -> None:
        self.epochs.append(figures)


class Tiny(Bases):
    """Gives a reader of random weights that reads bytes."""

    async def get(self, model: str, token: object, kind: str = "chat") -> Base:
        assert kind == ("embedding" if model == "words" else "reading")
        weights = write_encoder(self.folder, head())
        return Base(weights, (self.folder / "tokenizer.json").read_bytes(), DIGEST, model)


@dataclass
class Served(Inference):
    """Says what the trainer has said last, or something beside it."""

    folder: Path = Path()

    async def call(self, method: str, path: str, reply: object, **sent: Any) -> Any:
        if method == "GET":
            return self.model
        body, said = sent["body"].model_dump(), json.loads((self.folder / "parity.json").read_text())
        asked = [one["question"] for one in json.loads((self.folder / "job.json").read_text())["said"]]
        if path == "/v1/rerank":
            chances = chances_of(np.array(said["tuned"][asked.index(body["query"])])).tolist()
            results = [RerankResult(index=at, relevance_score=one + self.wrong) for at, one in enumerate(chances)]
            return RerankReply(id="rank_1", model="m", results=results, usage={"total_tokens": 5})
        found = await super().call(method, path, reply, **sent)
        chances = chances_of(np.array(said["base"][asked.index(body["question"])])).tolist()
        passages = [one.model_copy(update={"answers": each}) for one, each in zip(found.passages, chances, strict=True)]
        return found.model_copy(update={"passages": passages})


def _method(name: str, inference: Inference, bases: Bases, library: Library | None = None) -> Reading:
    parts: Any = (inference, library or Misled(texts=_texts()), Limits(1, 10_000_000, 300.0), bases)
    return METHODS[name](*parts)


async def _train(name: str, folder: Path, said: Said) -> tuple[Trained, Inference]:
    inference = Inference()
    work = _work(folder / "job", said, **LORA)
    return await _method(name, inference, Tiny(None, folder / "bases")).train(work), inference  # type: ignore[arg-type]


@pytest.mark.parametrize("name", METHODS)
async def test_a_reading_model_s_encoder_learns_in_a_process_that_reads_by_itself(tmp_path: Path, name: str) -> None:
    said = Hearing()
    trained, inference = await _train(name, tmp_path, said)
    assert inference.asked == [], "inference reads nothing for it"
    artifact = json.loads(trained.artifact)
    assert (artifact["reading_model"], artifact["reading_digest"], said.base) == ("reader", DIGEST, DIGEST)
    assert (artifact["lora"]["rank"], len(artifact["lora"]["matrices"])) == (2, 12)
    assert (trained.kind, sorted(trained.before)) == (name, sorted(trained.after))
    job = json.loads((tmp_path / "job" / "job.json").read_text())
    learnt = [job["read"][number] for number in job["train"]]
    assert {len(one["texts"]) for one in learnt} == {MOST_BESIDE}
    assert all(one["answers"][0] and not any(one["answers"][1:]) for one in learnt), "what answers, then the first"
    done = [one for one, _, _ in said.steps]
    assert (done, said.steps[-1][:2]) == (sorted(done), (48 + 8, 48 + 8)), "searches, then two epochs of four batches"
    assert (len(said.epochs), trained.tokens) == (2, said.steps[-1][2] + _held_out(job))


def _held_out(job: Mapping[str, Any]) -> int:
    """Tokens of what is held out: at most 64 of a pair are read."""
    every = [job["read"][number] for number in job["held_out"]]
    return sum(min(64, len(one["question"]) + len(text)) for one in every for text in one["texts"])


async def test_what_is_served_is_held_to_the_trainer_s_own_odds_of_questions_and_of_what_was_found(
    tmp_path: Path,
) -> None:
    trained, _ = await _train("rerank", tmp_path, Hearing())
    folder = tmp_path / "job"
    for wrong, share in ((0.0, 1.0), (0.005, 0.0)):
        said, served = Said(), Served(wrong=wrong, folder=folder)
        work, method = _work(folder, said, **LORA), _method("rerank", served, Tiny(None, tmp_path / "bases"))  # type: ignore[arg-type]
        assert is_checked(method, LORA)
        found = await method.served_agreement(work, "reader+try", work.held_out[:8], trained.artifact)
        assert (set(found.base.values()), set(found.tuned.values())) == ({1.0}, {share}), "a chance of .005 more"
        assert parity_of(found, CHANCES)["parity_failed"] is (share == 0.0)
        assert len(said.reads) == 8
    texts = json.loads((folder / "job.json").read_text())["said"][3]["texts"]
    assert len(texts) == BESIDE + 1 + MOST_CHECKED
    assert texts[-MOST_CHECKED].startswith("part33\npart setting value 33"), "what answers before others"
    (folder / NAME).unlink()  # another host has none of it
    await method.served_agreement(work, "reader+try", work.held_out[:8], trained.artifact)
    assert len(json.loads((folder / "job.json").read_text())["said"][3]["texts"]) == BESIDE + 1


async def test_a_job_that_would_read_too_much_ends_before_its_other_searches_and_says_how_many_it_made(
    tmp_path: Path,
) -> None:
    whole, _ = await _train("rerank", tmp_path, Hearing())
    bases: Any = Tiny(None, tmp_path / "bases")  # type: ignore[arg-type]

    async def refused(most: int) -> tuple[str, int]:
        library = Misled(texts=_texts())
        parts: Any = (Inference(), library, Limits(1, most, 300.0), bases)
        with pytest.raises(TooManyTokens, match="of its 48 searches, which are charged") as error:
            await Rerank(*parts).train(_work(tmp_path / str(most), Said(), **LORA))
        return error.value.message, len(library.searched)

    message, searched = await refused(whole.tokens - 1)
    assert (f"comes to {whole.tokens:,} already after 48 of" in message, searched) == (True, 48), "no token beside"
    message, searched = await refused(whole.tokens // 2)
    assert f"after {searched} of" in message
    assert searched < 40
    assert (await refused(whole.tokens // 2))[1] == 0, "another attempt searches for nothing more"


async def test_questions_of_an_embedding_model_that_are_too_many_are_refused_before_anything_is_embedded(
    tmp_path: Path,
) -> None:
    texts = Texts()
    bases: Any = Tiny(None, tmp_path / "bases")  # type: ignore[arg-type]
    train, held_out = (sum(len(f"ask: wish {n}") for n in some) for some in (range(30), range(30, 48)))
    read = 2 * train + 3 * held_out
    method = Embedding(texts, Manuals(), Limits(1, read - 1, 300.0), bases)  # type: ignore[arg-type]
    with pytest.raises(TooManyTokens, match=f"comes to {read:,}. Choose fewer") as refused:
        await method.train(_embedding_work(tmp_path / "job", Said(), **LORA))
    assert (refused.value.code, texts.asked) == ("too_many_tokens", [])


@pytest.mark.parametrize("name", METHODS)
async def test_matrices_that_could_not_be_served_are_refused_before_a_search_is_charged(
    tmp_path: Path, name: str
) -> None:
    library, work = Misled(texts=_texts()), _work(tmp_path, Said(), **{**LORA, "rank": 32})
    method = _method(name, Inference(), Encoders(tmp_path, 384, 12), library)
    with pytest.raises(MatricesTooLarge, match="a 'rank' of at most 18") as refused:
        await method.train(work)
    assert refused.value.param == f"method.{name}.hyperparameters.rank"
    assert library.searched == []


async def test_a_reading_model_that_is_replaced_while_its_encoder_learns_ends_the_job(tmp_path: Path) -> None:
    inference = Inference()

    class Replacing(Hearing):
        async def based_on(self, model: str, digest: str | None) -> None:
            if self.base is not None and digest != self.base:
                raise BaseReplaced("reader")
            self.base = digest
            inference.model = MODEL.model_copy(update={"digest": f"sha256:{'b' * 64}"})

    method = _method("rerank", inference, Tiny(None, tmp_path / "bases"))  # type: ignore[arg-type]
    with pytest.raises(BaseReplaced):
        await method.train(_work(tmp_path / "job", Replacing(), **LORA))


@pytest.mark.parametrize(
    ("kind", "settings", "part"),
    [
        ("embedding", {"l2": 30}, "projection"),
        ("embedding", LORA, "lora"),
        ("rerank", LORA, "correction"),
        ("reading", LORA, "correction"),
        ("chat", {"rank": 8}, None),
    ],
)
def test_what_stands_in_a_declaration_is_by_kind_and_form(kind: str, settings: Any, part: str | None) -> None:
    assert inside_of({"result": {"kind": kind}, "settings": settings}) == part
