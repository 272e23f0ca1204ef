from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from contracts.improvement.question_sets import QuestionRecord
from contracts.improvement.tuning import FineTuningCreate
from lab.tuning.bases import Base, Bases
from lab.tuning.errors import BaseReplaced, HyperparametersTwice, LossNotFinite
from lab.tuning.method import Work
from lab.tuning.methods import supervised
from lab.tuning.methods.process import Limits
from lab.tuning.methods.supervised import Supervised

METHOD = Supervised(Bases.__new__(Bases), Limits(1, 1000, 10.0))


class Replaced(Bases):
    """Another model each time it is asked."""

    def __init__(self, folder: Path) -> None:
        object.__setattr__(self, "asked", [])
        object.__setattr__(self, "folder", folder)

    async def get(self, model: str, token: Any) -> Base:
        self.asked.append(await token())
        return Base(self.folder / "weights.gguf", b"{}", f"sha256:{len(self.asked) - 1}", "m")


class Report:
    """As a job's, of the weights alone."""

    def __init__(self) -> None:
        self.digests: list[str] = []

    async def based_on(self, model: str, digest: str | None) -> None:
        assert digest is not None
        self.digests.append(digest)
        if digest != self.digests[0]:
            raise BaseReplaced("m")


def wanted(**more: Any) -> FineTuningCreate:
    return FineTuningCreate.model_validate({"model": "m", "training_file": "set:a", **more})


def test_auto_is_a_value_and_older_clients_say_theirs_beside_the_method() -> None:
    usual = METHOD.settings(wanted())
    assert (usual["n_epochs"], usual["batch_size"], usual["learning_rate_multiplier"]) == (3, 8, 1.0)
    said = {"n_epochs": 2, "batch_size": "auto"}
    new = {"type": "supervised", "supervised": {"hyperparameters": said}}
    assert METHOD.settings(wanted(method=new)) == {**usual, "n_epochs": 2}
    assert METHOD.settings(wanted(hyperparameters=said)) == {**usual, "n_epochs": 2}
    with pytest.raises(HyperparametersTwice):
        METHOD.settings(wanted(method=new, hyperparameters=said))


def test_texts_that_are_far_too_long_are_counted_and_not_written(tmp_path: Path) -> None:
    short = QuestionRecord(id="short", question="Who?", answers=["Ann"])
    long = QuestionRecord(id="long", question="Who? " * 10_000, answers=["Ann"])
    work = Work("job", "m", 1, {"max_tokens": 32}, [short, long], [long], [short], tmp_path / "job", None, None, None)
    supervised._write_job(
        work, Base(tmp_path / "w.gguf", b"{}", "sha256:0", "m"), Limits(1, 1000, 10.0), METHOD.lessons, "supervised"
    )
    written = (tmp_path / "job" / "job.json").read_text()
    assert len(written) < 1000
    job = json.loads(written)
    assert ([one["id"] for one in job["train"]], job["held_out"]) == (["short"], [])
    assert job["longer"] == {"train": 1, "held_out": 1, "general": 0}


def test_a_result_with_a_figure_that_is_no_number_is_refused(tmp_path: Path) -> None:
    (tmp_path / "adapter.gguf").write_bytes(b"GGUF")
    result = {"before": {"q": 1.0}, "after": {"q": math.nan}, "tokens": 1, "figures": {}}
    (tmp_path / "result.json").write_text(json.dumps(result))
    with pytest.raises(LossNotFinite):
        supervised._read_result(tmp_path)


def test_a_question_with_an_answer_teaches_the_first_one() -> None:
    one = QuestionRecord(id="q", question="Who?", answers=["Ann", "Ann B."])
    assert METHOD.teaches(one)
    assert not METHOD.teaches(QuestionRecord(id="q", question="Who?"))
    asked = [{"role": "user", "content": "Who?"}]
    assert supervised._example(one) == {"id": "q", "messages": asked, "answer": "Ann"}
    turns = [{"role": "system", "content": "Short."}, *asked]
    talk = QuestionRecord.model_validate({"id": "t", "turns": turns, "answers": ["Ann"]})
    assert supervised._example(talk)["messages"] == turns


async def test_weights_that_are_replaced_while_it_learns_are_noticed_before_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def learn(module: str, folder: Path, *_: Any) -> None:
        (folder / "adapter.gguf").write_bytes(b"GGUF")
        result = {"before": {"q": 1.0}, "after": {"q": 0.5}, "tokens": 1, "figures": {}}
        (folder / "result.json").write_text(json.dumps(result))

    async def token() -> str:
        return "right"

    monkeypatch.setattr(supervised, "run_child", learn)
    bases, report = Replaced(tmp_path), Report()
    work = Work("job", "m", 1, {"max_tokens": 32}, [], [], [], tmp_path, None, token, report)
    with pytest.raises(BaseReplaced):
        await Supervised(bases, Limits(1, 1000, 10.0)).train(work)
    assert report.digests == ["sha256:0", "sha256:1"]
