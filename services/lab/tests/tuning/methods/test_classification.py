from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contracts.improvement.question_sets import QuestionRecord
from contracts.improvement.tuning import FineTuningCreate
from contracts.models.catalog import Embedding, EmbeddingReply, EmbeddingUsage, ModelInfo
from lab.tuning.errors import ClassesUnfit, HyperparametersUnfit, NotAnEmbeddingModel
from lab.tuning.method import Figures, Work
from lab.tuning.methods.classification import Classification, class_of, text_of
from lab.tuning.sources.vectors import AT_ONCE

WORDS = ("parcel", "courier", "lamp", "battery", "invoice", "refund")
DIGEST = f"sha256:{'a' * 64}"
CREATE: dict[str, Any] = {"model": "words", "training_file": "set:tickets", "method": {"type": "classification"}}


@dataclass
class Inference:
    """Stands for the peer: an embedding model that counts words."""

    model: ModelInfo = field(default_factory=lambda: ModelInfo(id="words", kind="embedding", digest=DIGEST))
    asked: list[dict[str, Any]] = field(default_factory=list)

    async def call(self, method: str, path: str, reply: object, **sent: Any) -> Any:
        assert sent["token"] == "a token"
        if method == "GET":
            assert path == "/v1/models/words"
            return self.model
        body = sent["body"].model_dump()
        self.asked.append(body)
        rows = [[float(word in text) for word in WORDS] for text in body["input"]]
        data = [Embedding(index=at, embedding=row) for at, row in enumerate(rows)]
        usage = EmbeddingUsage(prompt_tokens=3 * len(rows), total_tokens=3 * len(rows), truncated="long" in str(body))
        return EmbeddingReply(data=data[::-1], model="words", usage=usage)


@dataclass
class Said:
    """What a job was told."""

    words: list[str] = field(default_factory=list)
    steps: list[tuple[int, int, int]] = field(default_factory=list)
    base: str | None = None
    reads: list[int] = field(default_factory=list)

    async def say(self, message: str) -> None:
        self.words.append(message)

    async def based_on(self, model: str, digest: str | None) -> None:
        self.base = digest

    async def step(self, done: int, steps: int, tokens: int, figures: Figures) -> None:
        self.steps.append((done, steps, tokens))

    async def read(self, tokens: int) -> None:
        self.reads.append(tokens)

    async def checkpoint(self, step: int, figures: Figures) -> None:
        raise AssertionError("there are no epochs")


def _question(number: int, text: str, **more: Any) -> QuestionRecord:
    return QuestionRecord.model_validate({"id": f"q{number}", "question": text, **more})


def _tickets(count: int, start: int = 0) -> list[QuestionRecord]:
    """Each of two classes has two words, so that no label's own text tells all of it."""
    words, labels = ("parcel", "courier", "lamp", "battery"), ("parcel", "parcel", "lamp", "lamp")
    return [_question(start + n, f"{words[n % 4]} number {start + n}", labels=[labels[n % 4]]) for n in range(count)]


def _work(train: Sequence[QuestionRecord], held_out: Sequence[QuestionRecord], said: Said, **settings: Any) -> Work:
    async def token() -> str:
        return "a token"

    return Work(
        "ftjob_1", "words", 7, {"l2": "auto", **settings}, train, held_out, [], Path("/nowhere"), None, token, said
    )


async def test_labels_are_learnt_and_compared_with_the_most_frequent_one_and_with_the_labels_alone() -> None:
    said, inference = Said(), Inference()
    train, held_out = _tickets(33), _tickets(12, 100)
    trained = await Classification(inference).train(_work(train, held_out, said))  # type: ignore[arg-type]
    assert set(trained.after.values()) == {1.0}
    assert sum(trained.before.values()) == 6, "half of them have the label that most examples have"
    assert (trained.measure, trained.kind, trained.tokens, said.base) == ("correct", "classification", 141, DIGEST)
    figures = trained.figures
    assert (figures["accuracy"], figures["majority_accuracy"], figures["zero_shot_accuracy"]) == (1.0, 0.5, 0.75)
    assert figures["accuracy_low"] < 1 <= figures["accuracy_high"]
    (words,) = said.words
    assert words.startswith("Of 12 held-out texts 1.00 [0.76, 1.00] have the right label; by labels alone it is 0.75")


async def test_what_is_learnt_is_what_inference_declares_as_a_head() -> None:
    trained = await Classification(Inference()).train(_work(_tickets(32), _tickets(12, 100), Said()))  # type: ignore[arg-type]
    head = json.loads(trained.artifact)
    assert (head["labels"], head["embedding_model"], head["embedding_digest"]) == (["lamp", "parcel"], "words", DIGEST)
    weights = np.frombuffer(base64.b64decode(head["weights"]), dtype="<f4")
    assert (len(weights), len(head["bias"])) == (2 * len(WORDS), 2)


async def test_texts_are_embedded_in_bulk_as_inference_reads_what_it_classifies() -> None:
    said, inference = Said(), Inference()
    inference.model = inference.model.model_copy(update={"asymmetric": True})
    train = [*_tickets(100), _question(999, "a long parcel", labels=["parcel"])]
    await Classification(inference).train(_work(train, _tickets(12, 200), said))  # type: ignore[arg-type]
    assert {(body["priority"], body["input_type"]) for body in inference.asked} == {("bulk", "query")}
    assert [len(body["input"]) for body in inference.asked] == [AT_ONCE, 101 + 12 + 2 - AT_ONCE]
    assert said.steps == [(64, 115, 192), (115, 115, 345)]
    assert said.words[0].startswith("1 texts are longer than 'words' reads")


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (["late"] * 12, "all 12 examples to learn from have the label 'late'"),
        (["late"] * 11 + ["odd"], "fewer than 2 examples to learn from have the label 'odd'"),
        ([f"label {n // 2}" for n in range(402)], "201 different labels"),
    ],
)
async def test_labels_that_tell_nothing_apart_are_refused(labels: list[str], says: str) -> None:
    train = [_question(n, f"parcel {n}", labels=[label]) for n, label in enumerate(labels)]
    with pytest.raises(ClassesUnfit, match=says):
        await Classification(Inference()).train(_work(train, _tickets(6, 1000), Said()))  # type: ignore[arg-type]


async def test_a_head_is_learnt_on_an_embedding_model_alone() -> None:
    inference = Inference(ModelInfo(id="words", kind="chat"))
    with pytest.raises(NotAnEmbeddingModel, match="for chat"):
        await Classification(inference).train(_work(_tickets(12), _tickets(6, 100), Said()))  # type: ignore[arg-type]


def test_a_question_teaches_where_it_has_one_label_or_without_any_one_answer() -> None:
    cases = [
        ({"labels": ["late"]}, "late"),
        ({"labels": ["late"], "answers": ["a", "b"]}, "late"),
        ({"answers": ["late"]}, "late"),
        ({"labels": ["late", "odd"], "answers": ["late"]}, None),
        ({}, None),
    ]
    for more, label in cases:
        question = _question(1, "x", **more)
        assert (class_of(question), Classification(Inference()).teaches(question)) == (label, label is not None)  # type: ignore[arg-type]


def test_of_a_conversation_all_that_the_user_says_is_classified() -> None:
    turns = [{"role": role, "content": text} for role, text in (("user", "a"), ("assistant", "b"), ("user", "c"))]
    record = QuestionRecord.model_validate({"id": "q", "turns": turns})
    assert (text_of(record), text_of(_question(1, "x"))) == ("a\nc", "x")


def test_hyperparameters_of_another_method_are_refused_and_its_own_taken() -> None:
    method = Classification(Inference())  # type: ignore[arg-type]
    assert method.settings(FineTuningCreate.model_validate(CREATE)) == {"l2": "auto"}
    own = {"type": "classification", "classification": {"hyperparameters": {"l2": 0.5}}}
    assert method.settings(FineTuningCreate.model_validate({**CREATE, "method": own})) == {"l2": 0.5}
    with pytest.raises(HyperparametersUnfit):
        method.settings(FineTuningCreate.model_validate({**CREATE, "hyperparameters": {"n_epochs": 2}}))
