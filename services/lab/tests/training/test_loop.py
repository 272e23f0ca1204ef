from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from gguf import GGUFReader
from services.lab.tests.training import tiny

from lab.training import loop
from lab.training.encoding import Encoded
from lab.training.header import read_header
from lab.training.impossible import Impossible
from lab.training.loop import AT_ONCE, Plan, Training, passes, run


class Heard(list[dict[str, Any]]):
    """What a job tells; it is interrupted after a step, where one is named."""

    def __init__(self, killed_after: int | None = None) -> None:
        self._killed_after = killed_after

    def __call__(self, event: str, **more: Any) -> None:
        self.append({"event": event, **more})
        if event == "checkpoint" and more["step"] == self._killed_after:
            raise KeyboardInterrupt

    def of(self, event: str) -> list[dict[str, Any]]:
        return [one for one in self if one["event"] == event]


def result(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return found


def test_answers_are_learnt_and_the_adapter_has_a_pair_for_every_projection(tmp_path: Path) -> None:
    job = tiny.write_job(tmp_path / "job", n_epochs=8)
    heard = Heard()
    run(tmp_path / "job", job, heard)
    found = result(tmp_path / "job")
    losses = [one["figures"]["train_loss"] for one in heard.of("step")]
    assert len(losses) == 24
    assert losses[-1] < losses[0] * 0.7
    assert sum(found["after"].values()) < sum(found["before"].values()) * 0.7
    assert found["after"].keys() == {one["id"] for one in job["held_out"]}
    tensors = {one.name: list(one.shape)[::-1] for one in GGUFReader(tmp_path / "job" / "adapter.gguf").tensors}
    projections = {name: shape for name, shape in tiny.shapes(258).items() if "norm" not in name and "blk" in name}
    assert len(tensors) == 2 * len(projections)
    for name, (outputs, inputs) in projections.items():
        assert (tensors[f"{name}.lora_a"], tensors[f"{name}.lora_b"]) == ([4, inputs], [outputs, 4])


@pytest.mark.parametrize(("killed_after", "left", "judged"), [(6, [4, 5, 6, 7, 8, 9], [6, 9]), (9, [], [9])])
def test_an_interrupted_job_comes_to_the_same_loss_and_the_same_adapter(
    tmp_path: Path, killed_after: int, left: list[int], judged: list[int]
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    run(whole, tiny.write_job(whole, n_epochs=3), Heard())
    job = tiny.write_job(broken, n_epochs=3)
    with pytest.raises(KeyboardInterrupt):
        run(broken, job, Heard(killed_after=killed_after))
    again = Heard()
    run(broken, job, again)
    assert [one["step"] for one in again.of("step")] == left
    assert [one["step"] for one in again.of("checkpoint")] == judged
    one, other = result(whole), result(broken)
    assert (one["before"], one["after"], one["tokens"]) == (other["before"], other["after"], other["tokens"])
    assert one["figures"]["train_loss"] == other["figures"]["train_loss"]
    assert (whole / "adapter.gguf").read_bytes() == (broken / "adapter.gguf").read_bytes()


def test_a_checkpoint_of_other_examples_is_not_gone_on_from(tmp_path: Path) -> None:
    folder = tmp_path / "job"
    job = tiny.write_job(folder, n_epochs=3)
    with pytest.raises(KeyboardInterrupt):
        run(folder, job, Heard(killed_after=6))
    job["train"] = job["train"][1:]
    again = Heard()
    run(folder, job, again)
    assert [one["step"] for one in again.of("step")] == list(range(1, 10))
    assert "other examples" in again.of("message")[0]["message"]


def test_a_loss_that_is_no_number_ends_the_job_with_what_to_do(tmp_path: Path) -> None:
    job = tiny.write_job(tmp_path / "job", learning_rate_multiplier=1e30, schedule="constant")
    heard = Heard()
    with pytest.raises(Impossible, match="learning_rate_multiplier") as ended:
        run(tmp_path / "job", job, heard)
    assert ended.value.code == "loss_not_finite"
    steps = [0, *(one["tokens"] for one in heard.of("step"))]
    assert [one["tokens"] > steps[-1] for one in heard.of("read")] == [True], "the step that failed was read, too"
    assert not (tmp_path / "job" / "result.json").exists()


def test_what_is_read_to_judge_by_counts_as_what_is_learnt(tmp_path: Path) -> None:
    folder = tmp_path / "job"
    job = tiny.write_job(folder, n_epochs=2)
    run(folder, job, Heard())
    examples = loop._encoded(folder, job, read_header(Path(job["weights"])), Heard())
    assert result(folder)["tokens"] == Training.reads(examples, epochs=2)


def test_what_is_read_to_judge_by_is_told_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "EMIT_SECONDS", 0.0)
    job, heard = tiny.write_job(tmp_path / "job", n_epochs=1), Heard()
    run(tmp_path / "job", job, heard)
    signs = [one for one in heard if "tokens" in one]
    first = next(at for at, one in enumerate(signs) if one["event"] == "step")
    assert 0 < signs[0]["tokens"] < signs[first - 1]["tokens"] < signs[first]["tokens"]
    assert signs[-1] == {"event": "alive", "tokens": result(tmp_path / "job")["tokens"]}


def test_what_was_read_until_memory_did_not_suffice_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def too_large(self: Training, examples: Any) -> Any:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(Training, "_token_losses", too_large)
    job, heard = tiny.write_job(tmp_path / "job"), Heard()
    with pytest.raises(torch.OutOfMemoryError):
        run(tmp_path / "job", job, heard)
    assert [one["tokens"] > 0 for one in heard.of("read")] == [True]


def test_a_held_out_loss_that_is_no_number_ends_the_job_before_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = Training._token_losses

    def spoilt(self: Training, examples: Any) -> Any:
        losses, rows = usual(self, examples)
        return (losses if torch.is_grad_enabled() else losses * math.nan), rows

    monkeypatch.setattr(Training, "_token_losses", spoilt)
    job, heard = tiny.write_job(tmp_path / "job"), Heard()
    with pytest.raises(Impossible, match=r"held-out question 'q2\d' after step 0") as ended:
        run(tmp_path / "job", job, heard)
    assert (ended.value.code, heard.of("checkpoint")) == ("loss_not_finite", [])
    assert [one["tokens"] > 0 for one in heard.of("read")] == [True], "what was read until then was read"


def test_examples_that_are_too_long_are_left_out_until_too_few_are_left(tmp_path: Path) -> None:
    job = tiny.write_job(tmp_path / "job", n_epochs=1)
    job["train"][0]["answer"] = "x" * 200
    job["longer"]["train"] = 2
    heard = Heard()
    run(tmp_path / "job", job, heard)
    assert heard.of("message")[0]["message"].startswith("3 of train are longer than 128 tokens")
    job["settings"]["max_tokens"] = 32
    job["train"] = [{**one, "answer": "x" * 40} for one in job["train"]]
    with pytest.raises(Impossible, match="max_tokens") as ended:
        run(tmp_path / "job", job, Heard())
    assert ended.value.code == "too_few_examples"


def test_a_job_that_would_take_too_long_is_refused_before_it_begins(tmp_path: Path) -> None:
    job = {**tiny.write_job(tmp_path / "job"), "most_tokens": 100}
    with pytest.raises(Impossible, match="LAB_TUNING_TOKENS") as ended:
        run(tmp_path / "job", job, Heard())
    assert ended.value.code == "too_many_tokens"


def test_what_is_held_out_counts_in_what_may_be_read(tmp_path: Path) -> None:
    job = tiny.write_job(tmp_path / "job", n_epochs=1)
    job["most_tokens"] = 12 * 60
    job["held_out"] = [{**one, "answer": "yes " * 20} for one in job["held_out"]]
    with pytest.raises(Impossible, match="to be judged by") as ended:
        run(tmp_path / "job", job, Heard())
    assert ended.value.code == "too_many_tokens"


def test_every_pass_over_what_is_held_out_is_a_sign_of_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "AT_ONCE", 1)
    job, heard = tiny.write_job(tmp_path / "job", n_epochs=1), Heard()
    run(tmp_path / "job", job, heard)
    told = [one["event"] for one in heard]
    assert told[:8] == ["alive"] * 8
    at = told.index("checkpoint")
    assert told[at - 6 : at] == ["alive"] * 6


@pytest.mark.parametrize(
    "file",
    [
        {"architecture": "qwen2"},
        {"template": ""},
        {"end": None},
        {"adds_begin": None},
        {"scaling": "linear"},
        {"more": {"rope_freqs.weight": (4,)}},
    ],
    ids=str,
)
def test_a_model_that_can_t_be_tuned_is_refused(tmp_path: Path, file: Any) -> None:
    job = tiny.write_job(tmp_path / "job")
    tokens = tiny.write_tokenizer(tmp_path / "job" / "tokenizer.json")
    tiny.write_weights(tmp_path / "weights.gguf", tokens, **file)
    with pytest.raises(Impossible) as ended:
        run(tmp_path / "job", job, Heard())
    assert ended.value.code == "model_not_tunable"


def test_each_epoch_has_every_example_once_in_an_order_of_its_own() -> None:
    examples = [Encoded(str(number), (1, 2, 3), 1) for number in range(10)]
    plan = Plan.of(examples, 2, 4, seed=1)
    assert ([len(batch) for batch in plan.batches], plan.an_epoch) == ([4, 4, 2] * 2, 3)
    first, second = ([one.id for batch in plan.batches[at : at + 3] for one in batch] for at in (0, 3))
    assert sorted(first) == sorted(second) == [str(number) for number in range(10)]
    assert first != second
    assert plan.batches == Plan.of(examples, 2, 4, seed=1).batches


def test_a_pass_has_so_many_tokens_at_most_with_its_padding() -> None:
    batch = [Encoded(str(length), tuple(range(length)), 1) for length in (10, 400, 500, 600, 3000, 20)]
    made = list(passes(batch))
    assert sorted(one.id for group in made for one in group) == sorted(one.id for one in batch)
    for group in made:
        width = max(len(one.ids) for one in group)
        assert len(group) == 1 or len(group) * width <= AT_ONCE
    assert math.isclose(sum(len(group) for group in made), len(batch))
