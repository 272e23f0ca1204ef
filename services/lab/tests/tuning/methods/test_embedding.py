from __future__ import annotations

import base64
import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from services.lab.tests.generation.asking import Library
from services.lab.tests.tuning.methods.test_classification import Said

from contracts.core.errors import ErrorBody
from contracts.improvement.question_sets import QuestionRecord
from contracts.improvement.tuning import FineTuningCreate
from contracts.models.catalog import Embedding as Row
from contracts.models.catalog import EmbeddingReply, EmbeddingUsage, ModelInfo
from contracts.retrieval.search import SearchOptions
from lab.tuning.bases import Base, Bases
from lab.tuning.errors import (
    BaseReplaced,
    CollectionUnfit,
    CollectionUnnamed,
    FormUnfit,
    HyperparametersUnfit,
    MatricesTooLarge,
    NotAnEmbeddingModel,
    VectorsUnfit,
)
from lab.tuning.gates.parity import is_checked
from lab.tuning.method import Figures, Trained, Work
from lab.tuning.methods.embedding import AUTO_L2, STEPS, Embedding
from lab.tuning.methods.lora import check_rank
from lab.tuning.methods.process import Limits, Listener
from lab.tuning.sources import collection
from lab.tuning.sources.vector_file import VECTORS
from servicekit.core.errors import PeerError

DIGEST = f"sha256:{'a' * 64}"
COUNT = 48
WIDTH = 2 * COUNT
CREATE: dict[str, Any] = {"model": "words", "training_file": "set:q", "method": {"type": "embedding"}}
NO_BASES = Bases(None, Path())  # type: ignore[arg-type]
MODEL = ModelInfo(id="words", kind="embedding", digest=DIGEST, dimensions=WIDTH, asymmetric=True)
WANT = COUNT
"""Which number of a vector says that a text is a wish; all of them do, and some passages, too."""


@dataclass
class Inference:
    """Stands for the peer. A part has a word of its own in questions (`wish n`) and in its passage (`part n`), with a
    little of each other: enough to be told apart, once it is learnt that wishes are not asked for."""

    models: dict[str, ModelInfo] = field(default_factory=lambda: {"words": MODEL})
    asked: list[dict[str, Any]] = field(default_factory=list)
    broken: float | None = None
    fails_after: int | None = None

    async def call(self, method: str, path: str, reply: object, **sent: Any) -> Any:
        assert sent["token"] == "a token"
        if method == "GET":
            name = path.rpartition("/")[2].replace("%2B", "+")
            if name not in self.models:
                raise PeerError(404, ErrorBody(code="model_not_found", message="There is none.", type="not_found"))
            return self.models[name]
        if self.fails_after is not None and len(self.asked) >= self.fails_after:
            raise PeerError(503, ErrorBody(code="model_not_ready", message="Later.", type="overloaded"))
        body = sent["body"].model_dump()
        self.asked.append(body)
        rows = [self._vector(text, body["input_type"]) for text in body["input"]]
        data = [Row(index=at, embedding=base64.b64encode(row.tobytes()).decode()) for at, row in enumerate(rows)]
        usage = EmbeddingUsage(prompt_tokens=2 * len(rows), total_tokens=2 * len(rows))
        return EmbeddingReply(data=data[::-1], model="words", usage=usage)

    def _vector(self, text: str, kind: str) -> np.ndarray[Any, Any]:
        assert kind == ("query" if "wish" in text else "passage")
        row = np.zeros(MODEL.dimensions or 0, dtype="<f4")
        number = int(text.split()[-1])
        row[number] = 0.3 if "wish" in text else 0.8
        row[WANT] = 0.9 if "wish" in text else 0.8 * (number % 4 == 0)
        if self.broken is not None and number == 3:
            row[0] = self.broken
        return row


@dataclass
class Manuals(Library):
    """A passage for each part."""

    texts: dict[str, str] = field(default_factory=lambda: {f"part{n}": f"part {n}" for n in range(COUNT)})
    bound: str = "words"

    async def embedded_by(self, token: str, collection: str, options: SearchOptions, request_id: str) -> str | None:
        assert (token, collection, options.mode) == ("a token", "handbook", "dense")
        return self.bound


def _question(number: int, **more: Any) -> QuestionRecord:
    about = {"documents": {f"part{number}": 1}, "metadata": {"generated": {"collection": "handbook"}}, **more}
    return QuestionRecord.model_validate({"id": f"q{number}", "question": f"wish {number}", **about})


def _work(folder: Path, said: Said, questions: Sequence[QuestionRecord] | None = None, **settings: Any) -> Work:
    async def token() -> str:
        return "a token"

    every = list(questions or map(_question, range(COUNT)))
    chosen = {"collection": None, "l2": 0.1, **settings}
    train, held_out = every[:30], every[30:]
    return Work("ftjob_1", "words", 7, chosen, train, held_out, [], folder, None, token, said)


async def _train(work: Work, inference: Inference | None = None, library: Library | None = None) -> Trained:
    limits = Limits(1, 1, 300.0)
    method = Embedding(inference or Inference(), library or Manuals(), limits, NO_BASES)  # type: ignore[arg-type]
    return await method.train(work)


async def test_questions_learn_to_find_their_documents_in_a_process_of_its_own(tmp_path: Path) -> None:
    said, inference = Said(), Inference()
    trained = await _train(_work(tmp_path, said), inference)
    assert (trained.measure, trained.kind, said.base) == ("retrieval_ndcg_10", "embedding", DIGEST)
    assert sorted(trained.before) == sorted(trained.after) == sorted(f"q{n}" for n in range(30, COUNT))
    assert sum(trained.after.values()) > sum(trained.before.values()) + 3
    assert (trained.figures["chunks"], trained.figures["documents"], trained.tokens) == (48, 48, 4 * COUNT)
    projection = json.loads(trained.artifact)
    assert (projection["embedding_model"], projection["embedding_digest"]) == ("words", DIGEST)
    down, up = (np.frombuffer(base64.b64decode(projection[name]), dtype="<f4") for name in ("down", "up"))
    assert len(down) == len(up) == 64 * WIDTH == 64 * projection["dimensions"]
    assert {body["priority"] for body in inference.asked} == {"bulk"}
    assert said.steps[-1][0] > 2 * COUNT
    assert {steps for _, steps, _ in said.steps} == {2 * COUNT + STEPS}
    assert said.words[0].startswith("30 questions learn to find their documents among 48 chunks of 48 documents")


async def test_another_attempt_embeds_what_is_missing_counts_it_once_and_learns_the_same(tmp_path: Path) -> None:
    first = await _train(_work(tmp_path / "one", Said()))
    again, inference = tmp_path / "two", Inference()
    with pytest.raises(PeerError):
        await _train(_work(again, Said()), Inference(fails_after=1))
    with (again / VECTORS).open("ab") as file:
        file.write(b"torn rows, of which no note says anything")
    second = await _train(_work(again, Said()), inference)
    assert sum(len(body["input"]) for body in inference.asked) == COUNT
    assert (second.artifact, second.tokens) == (first.artifact, first.tokens)
    assert (again / VECTORS).read_bytes() == (tmp_path / "one" / VECTORS).read_bytes()


class Ended(Said):
    """The process is ended before the first step is written down."""

    async def step(self, done: int, steps: int, tokens: int, figures: Figures) -> None:
        raise ConnectionAbortedError


async def test_tokens_that_were_read_but_not_reported_are_counted(tmp_path: Path) -> None:
    with pytest.raises(ConnectionAbortedError):
        await _train(_work(tmp_path, Ended()))
    said = Said()
    assert (await _train(_work(tmp_path, said))).tokens == 4 * COUNT
    assert said.steps[-1][2] == 4 * COUNT


@pytest.mark.parametrize(
    ("models", "error", "says"),
    [
        ({"words": ModelInfo(id="words", kind="chat")}, NotAnEmbeddingModel, "for chat"),
        ({"words": MODEL.model_copy(update={"dimensions": 4096})}, VectorsUnfit, "at most 1024"),
        ({"words": MODEL.model_copy(update={"dimensions": 8})}, VectorsUnfit, "said to have 8"),
        ({"words": MODEL.model_copy(update={"embedding_model": "base"})}, VectorsUnfit, "was learnt on 'base' itself"),
    ],
)
async def test_a_model_without_vectors_to_learn_on_is_refused(
    tmp_path: Path, models: dict[str, ModelInfo], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        await _train(_work(tmp_path, Said()), Inference(models))


async def test_vectors_that_hold_no_numbers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(VectorsUnfit, match="no number"):
        await _train(_work(tmp_path, Said()), Inference(broken=float("nan")))


async def test_a_collection_of_another_model_s_vectors_is_refused_and_one_of_what_was_learnt_is_not(
    tmp_path: Path,
) -> None:
    over = MODEL.model_copy(update={"id": "words+one", "embedding_model": "words"})
    known = Inference({"words": MODEL, "words+one": over, "other": MODEL.model_copy(update={"id": "other"})})
    for bound in ("other", "gone"):
        with pytest.raises(CollectionUnfit, match=f"of the model '{bound}', not of 'words'"):
            await _train(_work(tmp_path, Said()), known, Manuals(bound=bound))
    trained = await _train(_work(tmp_path, Said()), known, Manuals(bound="words+one"))
    assert trained.kind == "embedding"


async def test_a_collection_without_documents_or_with_too_many_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CollectionUnfit, match="no documents that are ready"):
        await _train(_work(tmp_path, Said()), None, Manuals(texts={}))
    monkeypatch.setattr(collection, "MOST_CHUNKS", 40)
    with pytest.raises(CollectionUnfit, match="more than 40 chunks"):
        await _train(_work(tmp_path, Said()))
    monkeypatch.setattr(collection, "MOST_DOCUMENTS", 30)
    with pytest.raises(CollectionUnfit, match="more than 30 documents"):
        await _train(_work(tmp_path, Said()))


async def test_without_the_collection_s_name_it_is_asked_for(tmp_path: Path) -> None:
    unnamed = [_question(n, metadata={}) for n in range(COUNT)]
    with pytest.raises(CollectionUnnamed, match=r"method\.embedding\.collection"):
        await _train(_work(tmp_path, Said(), unnamed))
    assert (await _train(_work(tmp_path, Said(), unnamed, collection="handbook"))).kind == "embedding"


async def test_a_model_that_is_replaced_while_it_is_learnt_on_ends_the_job(tmp_path: Path) -> None:
    inference = Inference()

    class Replacing(Said):
        async def based_on(self, model: str, digest: str | None) -> None:
            if self.base is not None and digest != self.base:
                raise BaseReplaced("words")
            self.base = digest
            inference.models["words"] = MODEL.model_copy(update={"digest": f"sha256:{'b' * 64}"})

    with pytest.raises(BaseReplaced):
        await _train(_work(tmp_path, Replacing()), inference)


def test_a_question_teaches_where_it_names_a_document() -> None:
    method = Embedding(Inference(), Manuals(), Limits(1, 1, 1.0), NO_BASES)  # type: ignore[arg-type]
    assert method.teaches(_question(1))
    assert not method.teaches(_question(1, documents={}, answers=["a"]))


def test_hyperparameters_of_another_method_are_refused_and_its_own_taken() -> None:
    method = Embedding(Inference(), Manuals(), Limits(1, 1, 1.0), NO_BASES)  # type: ignore[arg-type]
    assert method.settings(FineTuningCreate.model_validate(CREATE)) == {"collection": None, "l2": AUTO_L2}
    own = {"type": "embedding", "embedding": {"collection": "manuals", "hyperparameters": {"l2": 5}}}
    chosen = method.settings(FineTuningCreate.model_validate({**CREATE, "method": own}))
    assert chosen == {"collection": "manuals", "l2": 5}
    with pytest.raises(HyperparametersUnfit):
        method.settings(FineTuningCreate.model_validate({**CREATE, "hyperparameters": {"n_epochs": 2}}))


def _settings(**hyperparameters: Any) -> dict[str, Any]:
    method = Embedding(Inference(), Manuals(), Limits(1, 1, 1.0), NO_BASES)  # type: ignore[arg-type]
    own = {"type": "embedding", "embedding": {"hyperparameters": hyperparameters}}
    return method.settings(FineTuningCreate.model_validate({**CREATE, "method": own}))


def test_matrices_beside_the_layers_are_a_form_with_settings_of_its_own() -> None:
    usual = {"n_epochs": 3, "batch_size": 16, "learning_rate_multiplier": 1.0, "rank": 8, "schedule": "cosine"}
    assert _settings(form="lora") == {"collection": None, "form": "lora", **usual}
    assert _settings(form="lora", rank=4, n_epochs=1, schedule="linear")["rank"] == 4
    with pytest.raises(FormUnfit, match="'l2' is of 'form': 'projection'"):
        _settings(form="lora", l2=30)
    for name, value in {"rank": 8, "n_epochs": 2, "schedule": "cosine"}.items():
        with pytest.raises(FormUnfit, match=f"'{name}' is of 'form': 'lora'"):
            _settings(**{name: value})


class Encoders(Bases):
    """Gives one of a width and so many layers, of which only the head of the file is there."""

    def __init__(self, folder: Path, width: int, layers: int) -> None:
        super().__init__(None, folder)  # type: ignore[arg-type]
        shapes = {"embeddings.word_embeddings.weight": [30_000, width], "pooler.dense.weight": [width, width]}
        for at in range(layers):
            shapes |= {f"encoder.layer.{at}.attention.{name}.weight": [width, width] for name in "qkvo"}
            shapes |= {f"encoder.layer.{at}.in.weight": [4 * width, width], f"encoder.layer.{at}.in.bias": [width]}
            shapes |= {f"encoder.layer.{at}.out.weight": [width, 4 * width]}
        head = {name: {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]} for name, shape in shapes.items()}
        content = json.dumps({"__metadata__": {"encoder": "{}"}, **head}).encode()
        (folder / "encoder.safetensors").write_bytes(struct.pack("<Q", len(content)) + content)

    async def get(self, model: str, token: object, kind: str = "chat") -> Base:
        return Base(self.folder / "encoder.safetensors", b"{}", DIGEST, model)


@pytest.mark.parametrize(
    ("width", "layers", "rank", "choose"),
    [
        (384, 12, 32, "a 'rank' of at most 18"),
        (768, 12, 16, "a 'rank' of at most 9"),
        (1024, 24, 8, "a 'rank' of at most 3"),
        (1024, 96, 8, "a smaller model, or leave out 'form'"),
    ],
)
async def test_matrices_that_could_not_be_served_are_refused_before_anything_is_embedded(
    tmp_path: Path, width: int, layers: int, rank: int, choose: str
) -> None:
    inference, bases = Inference(), Encoders(tmp_path, width, layers)
    method = Embedding(inference, Manuals(), Limits(1, 1, 1.0), bases)  # type: ignore[arg-type]
    with pytest.raises(MatricesTooLarge, match=choose):
        await method.train(_work(tmp_path, Said(), **_settings(form="lora", rank=rank)))
    assert inference.asked == []


async def test_what_was_read_to_judge_by_comes_behind_what_was_embedded(tmp_path: Path) -> None:
    said = Said()
    listener = Listener(_work(tmp_path, said), before=96, tokens=192, steps=100)
    for told in ({"event": "alive"}, {"event": "alive", "tokens": 5}, {"event": "read", "tokens": 6}):
        await listener.hear(told)
    assert said.reads == [197, 198]


async def test_matrices_of_the_largest_rank_that_is_served_are_not_refused(tmp_path: Path) -> None:
    work = _work(tmp_path, Said(), **_settings(form="lora", rank=18))
    await check_rank(work, Encoders(tmp_path, 384, 12), MODEL, "embedding")
    await check_rank(
        _work(tmp_path, Said(), **_settings(form="lora", rank=32)), Encoders(tmp_path, 384, 6), MODEL, "embedding"
    )


def test_only_what_an_encoder_learnt_is_looked_at_as_it_is_served() -> None:
    method = Embedding(Inference(), Manuals(), Limits(1, 1, 1.0), NO_BASES)  # type: ignore[arg-type]
    assert is_checked(method, _settings(form="lora"))
    assert not is_checked(method, _settings())
    assert not is_checked(method, {"collection": None, "l2": 30}), "of a job of an earlier release"
