from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from services.lab.tests.training.encoders.test_embedding import SETTINGS, WIDTH, write_encoder
from services.lab.tests.training.test_loop import Heard, result

from lab.training.encoders.model import load_encoder
from lab.training.encoders.reading import run
from lab.training.frozen.correction import chances_of
from lab.training.impossible import Impossible
from lab.tuning.methods.lora import layers_of, matrices_bytes

COUNT, HELD_OUT, GENERAL, FOUND = 24, 12, 6, 5


def head() -> dict[str, torch.Tensor]:
    """One that says little."""
    torch.manual_seed(2)
    shapes = {"mix.weight": (8, 2 * WIDTH), "mix.bias": (8,), "answers.weight": (1, 8), "answers.bias": (1,)}
    return {name: torch.randn(shape) / 8 for name, shape in shapes.items()}


def _question(number: int) -> dict[str, Any]:
    """What answers says so, wherever the search has it."""
    answers = [at == number % FOUND for at in range(FOUND)]
    texts = [f"{'yes' if right else 'no'} {number + at}" for at, right in enumerate(answers)]
    return {"question": f"Which is {number}?", "texts": texts, "answers": answers}


def write_job(folder: Path, method: str = "rerank", **changes: Any) -> dict[str, Any]:
    """Questions that are alike, and passages that say whether they answer."""
    weights = write_encoder(folder, head())
    total = COUNT + HELD_OUT + GENERAL
    ranked = {"scores": [1 - at / 10 for at in range(FOUND)], "documents": list(range(FOUND)), "ideal": [1]}
    read = [_question(number) for number in range(total)]
    return {
        "method": method,
        "form": "lora",
        "weights": str(weights),
        "threads": 1,
        "ids": [f"q{number}" for number in range(total)],
        "train": list(range(COUNT)),
        "held_out": list(range(COUNT, COUNT + HELD_OUT)),
        "general": list(range(COUNT + HELD_OUT, total)),
        "read": read,
        "ranked": [{**ranked, "grades": [int(right) for right in one["answers"]]} for one in read],
        "l2": 300.0,
        "head_steps": 20,
        "base": "a digest",
        "seed": 7,
        "most_tokens": 1_000_000,
        "settings": {**SETTINGS, **changes},
    }


def _tokens(job: dict[str, Any], which: str) -> int:
    """A byte is a token."""
    every = [job["read"][number] for number in job[which]]
    return sum(len(one["question"]) + len(text) for one in every for text in one["texts"])


@pytest.mark.parametrize(("method", "figure"), [("rerank", "ndcg_untuned"), ("reading", "auc_before")])
def test_passages_that_answer_go_before_by_matrices_and_a_correction(tmp_path: Path, method: str, figure: str) -> None:
    job, heard = write_job(tmp_path, method, n_epochs=8), Heard()
    run(tmp_path, job, heard)
    found = result(tmp_path)
    losses = [one["figures"]["train_loss"] for one in heard.of("step")]
    assert losses[-1] < losses[0] / 2
    before, after = (sum(found[when].values()) / HELD_OUT for when in ("before", "after"))
    assert after > max(before, found["figures"][figure]) + 0.05
    assert found["after"].keys() == found["before"].keys() == {job["ids"][number] for number in job["held_out"]}
    assert found["general_after"].keys() == {job["ids"][number] for number in job["general"]}
    assert found["figures"]["general_auc"] > found["figures"]["general_auc_before"]
    matrices = found["lora"]["matrices"]
    assert (found["lora"]["rank"], len(matrices)) == (SETTINGS["rank"], 2 * 6)
    size = sum(len(one["down"]) + len(one["up"]) for one in matrices.values())
    assert matrices_bytes(layers_of(Path(job["weights"])), SETTINGS["rank"]) == size, "its head is no layer"
    assert found["tokens"] == 9 * _tokens(job, "train") + 2 * (_tokens(job, "held_out") + _tokens(job, "general"))


def test_an_interrupted_job_comes_to_the_same_loss_matrices_and_correction(tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    run(whole, write_job(whole), Heard())
    job, again = write_job(broken), Heard()
    with pytest.raises(KeyboardInterrupt):
        run(broken, job, Heard(killed_after=6))
    run(broken, job, again)
    assert next(one["step"] for one in again.of("step")) < 12
    one, other = result(whole), result(broken)
    assert one["figures"]["train_loss"] == other["figures"]["train_loss"]
    for name in ("lora", "weights", "scale", "offset", "before", "after", "general_after", "tokens"):
        assert one[name] == other[name], name


def test_the_odds_that_the_verdict_was_of_are_those_of_what_was_learnt(tmp_path: Path) -> None:
    job = write_job(tmp_path, n_epochs=8)
    run(tmp_path, job, Heard())
    about = {name: job[name] for name in ("method", "form", "weights", "threads")}
    said = [{name: job["read"][number][name] for name in ("question", "texts")} for number in (30, 31)]
    run(tmp_path, {**about, "said": said, "artifact": result(tmp_path)}, Heard())
    found = json.loads((tmp_path / "parity.json").read_text())
    plain = load_encoder(Path(job["weights"]), tmp_path / "tokenizer.json")
    with torch.no_grad():
        pairs = [plain.pair(said[0]["question"], text) for text in said[0]["texts"]]
        odds = plain.odds(plain.features(pairs)).numpy().astype(float)
    np.testing.assert_allclose(found["base"][0], odds, atol=1e-5)
    for number, tuned in zip((30, 31), found["tuned"], strict=True):
        assert int(np.argmax(tuned)) == number % FOUND
        assert chances_of(np.array(tuned)).max() > 0.5


def test_more_tokens_than_may_be_read_and_a_loss_that_is_no_number_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Impossible, match="LAB_TUNING_TOKENS"):
        run(tmp_path, {**write_job(tmp_path), "most_tokens": 100}, Heard())
    with pytest.raises(Impossible, match="learning_rate_multiplier"):
        run(tmp_path, write_job(tmp_path, learning_rate_multiplier=1e12), Heard())
