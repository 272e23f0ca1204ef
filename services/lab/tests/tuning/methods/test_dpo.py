from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from contracts.improvement.question_sets import QuestionRecord
from contracts.improvement.tuning import FineTuningCreate
from lab.tuning.bases import Base, Bases
from lab.tuning.errors import HyperparametersUnfit
from lab.tuning.gates.quality import quality_gate
from lab.tuning.method import Work
from lab.tuning.methods import supervised
from lab.tuning.methods.dpo import AUTO, Dpo
from lab.tuning.methods.process import Limits

LIMITS = Limits(1, 1000, 10.0)
METHOD = Dpo(Bases.__new__(Bases), LIMITS)
PAIR = {"preferred": "Ann", "rejected": "Bob"}


def wanted(**more: Any) -> FineTuningCreate:
    return FineTuningCreate.model_validate({"model": "m", "training_file": "set:a", **more})


def question(name: str, *pairs: dict[str, str], **more: Any) -> QuestionRecord:
    return QuestionRecord.model_validate({"id": name, "question": "Who?", "preferences": pairs, **more})


def test_auto_is_a_value_and_beta_is_openai_s() -> None:
    usual = METHOD.settings(wanted(method={"type": "dpo"}))
    assert {name: usual[name] for name in AUTO} == AUTO
    chosen = {"type": "dpo", "dpo": {"hyperparameters": {"beta": 0.3, "n_epochs": "auto"}}}
    assert METHOD.settings(wanted(method=chosen)) == {**usual, "beta": 0.3}
    with pytest.raises(HyperparametersUnfit):
        METHOD.settings(wanted(method={"type": "dpo"}, hyperparameters={"n_epochs": 2}))
    with pytest.raises(ValueError, match="beta"):
        wanted(method={"type": "dpo", "dpo": {"hyperparameters": {"beta": 0}}})


def test_a_question_teaches_by_its_pairs_alone() -> None:
    assert METHOD.teaches(question("q", PAIR))
    assert not METHOD.teaches(question("q", answers=["Ann"]))
    masked = question("q", PAIR).preferences[0].model_copy(update={"preferred": "[email]", "rejected": "[email]"})
    assert not METHOD.teaches(question("q").model_copy(update={"preferences": [masked]}))


def test_every_pair_is_an_example_and_what_is_general_is_read_by_its_answer(tmp_path: Path) -> None:
    first = question("first", PAIR, {"preferred": "Eve", "rejected": "Bob"})
    long = question("long", {"preferred": "Ann", "rejected": "Bob " * 1000})
    settings = {"max_tokens": 32}
    general = [QuestionRecord(id="g", question="What?", answers=["That."])]
    work = Work("job", "m", 1, settings, [first, long], [first], general, tmp_path / "job", None, None, None)  # type: ignore[arg-type]
    supervised._write_job(work, Base(tmp_path / "w.gguf", b"{}", "sha256:0", "m"), LIMITS, METHOD.lessons, METHOD.name)
    job = json.loads((tmp_path / "job" / "job.json").read_text())
    asked = [{"role": "user", "content": "Who?"}]
    assert job["train"] == [
        {"id": "first", "number": 0, "messages": asked, "answer": "Ann", "rejected": "Bob"},
        {"id": "first", "number": 1, "messages": asked, "answer": "Eve", "rejected": "Bob"},
    ]
    assert (job["method"], job["longer"]) == ("dpo", {"train": 1, "held_out": 0, "general": 0})
    assert job["general"] == [{"id": "g", "messages": [{"role": "user", "content": "What?"}], "answer": "That."}]


def test_accuracy_is_judged_by_being_higher_and_the_general_set_by_its_loss(tmp_path: Path) -> None:
    (tmp_path / "adapter.gguf").write_bytes(b"GGUF")
    result = {"before": {"q": 0.0}, "after": {"q": 1.0}, "tokens": 1, "figures": {}}
    (tmp_path / "result.json").write_text(json.dumps(result))
    found = supervised._read_result(tmp_path, METHOD.measure)
    assert (found.measure, found.general_measure) == ("preference_accuracy", "loss")


def test_a_model_whose_general_questions_nobody_asked_is_not_served() -> None:
    row = {"id": "j", "method": "dpo", "options": {}, "result": {"verdict": "better", "words": "better"}}
    why = quality_gate(row)
    assert why is not None
    assert why.code == "general_unknown"
