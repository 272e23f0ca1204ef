from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from contracts.improvement.question_sets import QuestionRecord
from contracts.improvement.tuning import FineTuningCreate
from lab.tuning.bases import Bases
from lab.tuning.errors import HyperparametersTwice, LossNotFinite
from lab.tuning.methods import supervised
from lab.tuning.methods.supervised import Limits, Supervised

METHOD = Supervised(Bases.__new__(Bases), Limits(1, 1000, 10.0))


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
