from __future__ import annotations

from typing import Any

import pytest

from contracts.improvement.question_sets import QuestionRecord
from contracts.improvement.tuning import FineTuningCreate
from lab.tuning.bases import Bases
from lab.tuning.errors import HyperparametersTwice
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


def test_a_question_with_an_answer_teaches_the_first_one() -> None:
    one = QuestionRecord(id="q", question="Who?", answers=["Ann", "Ann B."])
    assert METHOD.teaches(one)
    assert not METHOD.teaches(QuestionRecord(id="q", question="Who?"))
    asked = [{"role": "user", "content": "Who?"}]
    assert supervised._example(one) == {"id": "q", "messages": asked, "answer": "Ann"}
    turns = [{"role": "system", "content": "Short."}, *asked]
    talk = QuestionRecord.model_validate({"id": "t", "turns": turns, "answers": ["Ann"]})
    assert supervised._example(talk)["messages"] == turns
