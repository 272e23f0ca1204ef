from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from services.lab.tests.generation.asking import Library
from services.lab.tests.tuning.methods.test_classification import Said

from contracts.core.errors import ErrorBody
from contracts.improvement.question_sets import QuestionRecord
from contracts.improvement.tuning import FineTuningCreate
from contracts.models.catalog import ModelInfo, RerankReply, RerankResult
from contracts.models.reading import PassageReading, ReadingReply, ReadingUsage
from lab.tuning.bases import Bases
from lab.tuning.errors import (
    BaseReplaced,
    CollectionUnnamed,
    HyperparametersUnfit,
    NotAReadingModel,
    TooFewExamples,
)
from lab.tuning.gates.parity import CHANCES, parity_of
from lab.tuning.method import Trained, Work
from lab.tuning.methods.process import Limits
from lab.tuning.methods.reading import AUTO_L2, READS, STEPS, Reading
from lab.tuning.sources.passages import BESIDE, NAME
from lab.tuning.sources.readings import READ, ROWS
from servicekit.core.errors import PeerError

DIGEST = f"sha256:{'a' * 64}"
COUNT, WIDTH, FOUND = 48, 6, READS.found
NO_BASES = Bases(None, Path())  # type: ignore[arg-type]
CREATE: dict[str, Any] = {"model": "reader", "training_file": "set:q", "method": {"type": "reading"}}
MODEL = ModelInfo(id="reader", kind="reading", digest=DIGEST)


@dataclass
class Inference:
    """Stands for the peer. Its model holds passages that shout for those that answer; a feature tells which do."""

    model: ModelInfo = field(default_factory=lambda: MODEL)
    asked: list[dict[str, Any]] = field(default_factory=list)
    broken: float | None = None
    refuses: bool = False
    fails_after: int | None = None
    tuned: dict[str, Any] | None = None
    """The correction that it serves under any other name than its model's, for a reader or a rerank model."""
    wrong: float = 0.0
    """What its chances are beside that."""

    async def call(self, method: str, path: str, reply: object, **sent: Any) -> Any:
        assert sent["token"] == "a token"
        if method == "GET":
            assert path == "/v1/models/reader"
            return self.model
        if self.refuses:
            raise PeerError(
                400, ErrorBody(code="unsupported_parameter", message="It has none.", type="invalid_request")
            )
        if self.fails_after is not None and len(self.asked) >= self.fails_after:
            raise PeerError(503, ErrorBody(code="model_not_ready", message="Later.", type="overloaded"))
        body = sent["body"].model_dump()
        if path == "/v1/rerank":
            return self._ranked(body)
        self.asked.append(body)
        read = [self._reading(body["question"], one) for one in body["passages"]]
        usage = ReadingUsage(prompt_tokens=3 * len(read), total_tokens=3 * len(read))
        readings, features = [one for one, _ in read], [one for _, one in read]
        if body["model"] != "reader":
            readings = [PassageReading(answers=self._corrected(*one)) for one in read]
        return ReadingReply(model="reader", reads=["answers"], passages=readings, features=features, usage=usage)

    def _ranked(self, body: dict[str, Any]) -> RerankReply:
        scores = [self._corrected(*self._reading(body["query"], one)) for one in body["documents"]]
        order = sorted(range(len(scores)), key=lambda at: -scores[at])
        results = [RerankResult(index=at, relevance_score=scores[at]) for at in order]
        return RerankReply(id="rank_1", model=body["model"], results=results, usage={"total_tokens": 3 * len(scores)})

    def _corrected(self, reading: PassageReading, features: str) -> float:
        """As inference corrects a chance, worked out here."""
        assert self.tuned is not None
        assert reading.answers is not None
        weights, row = (np.frombuffer(base64.b64decode(one), "<f4") for one in (self.tuned["weights"], features))
        before = float(np.log(reading.answers / (1 - reading.answers)))
        odds = before * self.tuned["scale"] + float(row @ weights) + self.tuned["offset"]
        return float(1 / (1 + np.exp(-odds))) + self.wrong

    def _reading(self, question: str, passage: str) -> tuple[PassageReading, str]:
        number = question.rstrip("?").split()[-1]
        row = np.zeros(WIDTH, dtype="<f4")
        row[0] = float(f"value {number} " in passage)
        row[1] = len(passage) % 7 if self.broken is None else self.broken
        answers = 0.9 if "loud" in passage else 0.2
        return PassageReading(answers=answers), base64.b64encode(row.tobytes()).decode()


def _texts() -> dict[str, str]:
    return {f"part{n}": f"part setting value {n} is {n}00 {'loud' if n % 3 == 0 else ''}" for n in range(COUNT)}


def _library(**more: Any) -> Library:
    return Library(texts=_texts(), **more)


def _question(number: int, **more: Any) -> QuestionRecord:
    about = {
        "documents": {f"part{number}": 1},
        "answers": [f"{number}00"],
        "metadata": {"generated": {"collection": "handbook"}},
        **more,
    }
    return QuestionRecord.model_validate({"id": f"q{number}", "question": f"What is setting value {number}?", **about})


def _work(folder: Path, said: Said, questions: Sequence[QuestionRecord] | None = None, **settings: Any) -> Work:
    async def token() -> str:
        return "a token"

    every = list(questions or map(_question, range(COUNT)))
    chosen = {"collection": None, "l2": 1.0, **settings}
    return Work("ftjob_1", "reader", 7, chosen, every[:30], every[30:], [], folder, None, token, said)


async def _train(work: Work, inference: Inference | None = None, library: Library | None = None) -> Trained:
    method = Reading(inference or Inference(), library or _library(), Limits(1, 1, 300.0), NO_BASES)  # type: ignore[arg-type]
    return await method.train(work)


async def test_a_model_learns_what_answers_from_what_a_search_finds_in_a_process_of_its_own(tmp_path: Path) -> None:
    said, inference, library = Said(), Inference(), _library()
    trained = await _train(_work(tmp_path, said), inference, library)
    assert (trained.measure, trained.kind, said.base) == ("auc", "reading", DIGEST)
    assert sorted(trained.before) == sorted(trained.after) == sorted(f"q{n}" for n in range(30, COUNT))
    assert trained.figures["auc"] > 0.95 > 0.8 > trained.figures["auc_before"]
    assert trained.figures["first"] > trained.figures["first_before"]
    correction = json.loads(trained.artifact)
    assert (correction["reading_model"], correction["reading_digest"]) == ("reader", DIGEST)
    assert len(np.frombuffer(base64.b64decode(correction["weights"]), dtype="<f4")) == WIDTH
    assert {(body["priority"], body["features"]) for body in inference.asked} == {("bulk", True)}
    assert trained.tokens == 3 * (FOUND * COUNT + 1), "one reading is to see if it can"
    assert len({called for _, called in library.searched}) == COUNT, "each search is charged by a name of its own"
    assert said.words[0].startswith(f"30 questions teach which of {30 * FOUND} passages of 'handbook' answer, 18 are")
    assert said.steps[-1][1] == COUNT + FOUND * COUNT + STEPS
    done = [one for one, _, _ in said.steps]
    assert done == sorted(done)


async def test_another_attempt_reads_what_is_missing_and_learns_the_same(tmp_path: Path) -> None:
    first = await _train(_work(tmp_path / "one", Said()))
    whole = (tmp_path / "one" / ROWS).read_bytes()
    two, library = tmp_path / "two", _library()
    with pytest.raises(PeerError):
        await _train(_work(two, Said()), Inference(fails_after=20), library)
    with (two / ROWS).open("ab") as torn:
        torn.write(b"torn")
    inference = Inference()
    second = await _train(_work(two, Said()), inference, library)
    assert (len(inference.asked), len(library.searched)) == (1 + COUNT - 19, COUNT), "one reading is to see if it can"
    assert (second.artifact, second.tokens) == (first.artifact, first.tokens)
    assert (two / ROWS).read_bytes() == whole
    assert json.loads((two / READ).read_text())["done"] == COUNT


async def test_what_an_earlier_version_has_read_is_read_again(tmp_path: Path) -> None:
    first = await _train(_work(tmp_path / "one", Said()))
    two = tmp_path / "two"
    two.mkdir()
    (two / ROWS).write_bytes(b"of other questions")
    (two / READ).write_text(json.dumps({"digest": DIGEST, "done": 3, "width": WIDTH + 1}))
    second = await _train(_work(two, Said()))
    assert (second.artifact, second.tokens) == (first.artifact, first.tokens)


async def test_another_attempt_searches_for_what_is_missing_alone(tmp_path: Path) -> None:
    whole = await _train(_work(tmp_path / "one", Said()))
    two, library, again = tmp_path / "two", _library(), _library()
    library.after_search = lambda count: None if count < 20 else _later()
    with pytest.raises(PeerError):
        await _train(_work(two, Said()), library=library)
    with (two / NAME).open("a") as torn:
        torn.write('{"id": "q9", "quest')
    trained = await _train(_work(two, Said()), library=again)
    assert len(again.searched) == COUNT - 19
    assert {name for _, name in again.searched} | {name for _, name in library.searched[:19]} == {
        f"ftjob_1.search{number}" for number in range(COUNT)
    }
    assert trained.artifact == whole.artifact


async def test_what_was_found_for_other_questions_is_searched_for_again(tmp_path: Path) -> None:
    await _train(_work(tmp_path, Said()))
    library = _library()
    work = _work(tmp_path, Said())
    await _train(replace(work, seed=8), library=library)
    assert len(library.searched) > COUNT / 2


async def test_other_questions_are_read_before_and_after_beside_answers_that_are_not_theirs(tmp_path: Path) -> None:
    general = [
        QuestionRecord(id=f"g{n}", question=f"What is setting value {n}?", answers=[f"value {n} is it"])
        for n in range(8)
    ]
    inference = Inference()
    trained = await _train(replace(_work(tmp_path, Said()), general=general), inference)
    assert trained.general_measure == "auc"
    assert sorted(trained.general_before) == sorted(trained.general_after) == [f"g{n}" for n in range(8)]
    assert trained.figures["general_auc"] > trained.figures["general_auc_before"]
    read = [body["passages"] for body in inference.asked if "value 7 is it" in body["passages"][:1]]
    assert read == [["value 7 is it", *(f"value {n} is it" for n in range(BESIDE))]]


@pytest.mark.parametrize(("wrong", "tuned"), [(0.0, 1.0), (0.05, 0.0)])
async def test_what_is_served_is_held_to_what_the_correction_makes_of_the_features(
    tmp_path: Path, wrong: float, tuned: float
) -> None:
    said = Said()
    work = replace(_work(tmp_path, said), known_tokens=100)
    trained = await _train(work)
    inference = Inference(tuned=json.loads(trained.artifact), wrong=wrong)
    method = Reading(inference, _library(), Limits(1, 1, 300.0), NO_BASES)  # type: ignore[arg-type]
    found = await method.served_agreement(work, "reader+try", work.held_out[:8], trained.artifact)
    assert found.base == {one.id: 1.0 for one in work.held_out[:8]}
    assert found.tuned == {one.id: tuned for one in work.held_out[:8]}
    assert parity_of(found, CHANCES)["parity_failed"] is (tuned == 0.0)
    a_question = 3 * 3 * (BESIDE + 1)
    assert said.reads == [100 + a_question * count for count in range(1, 9)], "three readings of each"


def _later() -> None:
    raise PeerError(503, ErrorBody(code="model_not_ready", message="Later.", type="overloaded"))


async def test_what_another_model_read_is_read_again(tmp_path: Path) -> None:
    with pytest.raises(PeerError):
        await _train(_work(tmp_path, Said()), Inference(fails_after=20))
    inference = Inference(MODEL.model_copy(update={"digest": f"sha256:{'b' * 64}"}))
    await _train(_work(tmp_path, Said()), inference)
    assert len(inference.asked) == 1 + COUNT


async def test_questions_that_nothing_answers_teach_too(tmp_path: Path) -> None:
    missing = [
        _question(n, id=f"miss{n}", question=f"What is setting value {n + 500}?", answerable=False) for n in range(8)
    ]
    inference = Inference()
    trained = await _train(_work(tmp_path, Said(), [*missing, *map(_question, range(8, COUNT))]), inference)
    assert any("value 507" in body["question"] for body in inference.asked)
    assert trained.figures["auc"] > trained.figures["auc_before"]


async def test_questions_whose_passage_no_search_finds_teach_nothing_and_too_few_are_an_error(tmp_path: Path) -> None:
    said = Said()
    lost = [_question(n, answers=["nowhere"]) for n in range(5)]
    trained = await _train(_work(tmp_path / "some", said, [*lost, *map(_question, range(5, COUNT))]))
    assert "25 questions teach" in said.words[0]
    assert trained.tokens == 3 * (FOUND * (COUNT - 5) + 1)
    with pytest.raises(TooFewExamples):
        await _train(_work(tmp_path / "none", Said()), library=_library(blind=True))


@pytest.mark.parametrize(
    ("inference", "says"),
    [
        (Inference(ModelInfo(id="reader", kind="embedding")), "it is for embedding"),
        (Inference(refuses=True), "nothing that could be learnt on"),
    ],
)
async def test_a_model_that_does_not_read_or_says_too_little_is_refused(
    tmp_path: Path, inference: Inference, says: str
) -> None:
    library = _library()
    with pytest.raises(NotAReadingModel, match=says):
        await _train(_work(tmp_path, Said()), inference, library)
    assert library.searched == [], "searches are paid for"


async def test_without_the_collection_s_name_it_is_asked_for(tmp_path: Path) -> None:
    unnamed = [_question(n, metadata={}) for n in range(COUNT)]
    with pytest.raises(CollectionUnnamed, match=r"method\.reading\.collection"):
        await _train(_work(tmp_path, Said(), unnamed))
    assert (await _train(_work(tmp_path, Said(), unnamed, collection="handbook"))).kind == "reading"


async def test_a_model_that_is_replaced_while_it_is_learnt_on_ends_the_job(tmp_path: Path) -> None:
    inference = Inference()

    class Replacing(Said):
        async def based_on(self, model: str, digest: str | None) -> None:
            if self.base is not None and digest != self.base:
                raise BaseReplaced("reader")
            self.base = digest
            inference.model = MODEL.model_copy(update={"digest": f"sha256:{'b' * 64}"})

    with pytest.raises(BaseReplaced):
        await _train(_work(tmp_path, Replacing()), inference)


def test_hyperparameters_of_another_method_are_refused_and_its_own_taken() -> None:
    method = Reading(Inference(), Library(), Limits(1, 1, 1.0), NO_BASES)  # type: ignore[arg-type]
    assert method.settings(FineTuningCreate.model_validate(CREATE)) == {"collection": None, "l2": AUTO_L2}
    own = {"type": "reading", "reading": {"collection": "manuals", "hyperparameters": {"l2": 5}}}
    chosen = method.settings(FineTuningCreate.model_validate({**CREATE, "method": own}))
    assert chosen == {"collection": "manuals", "l2": 5}
    with pytest.raises(HyperparametersUnfit):
        method.settings(FineTuningCreate.model_validate({**CREATE, "hyperparameters": {"n_epochs": 2}}))
