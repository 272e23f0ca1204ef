from __future__ import annotations

import fcntl
import json
import math
import mmap
from pathlib import Path
from typing import Any

import pytest
import torch
from gguf import GGUFReader
from services.lab.tests.training import tiny
from services.lab.tests.training.test_loop import Heard, result
from services.lab.tests.training.test_main import SECONDS, lines, trainer
from torch.nn import functional

from lab.training import loop
from lab.training.encoding import Chats, tokens_of
from lab.training.header import read_header
from lab.training.impossible import Impossible
from lab.training.preferences import PreferenceTraining, run
from lab.training.weights import load_model

EPOCHS = 40


def write_pairs(folder: Path, **settings: Any) -> dict[str, Any]:
    """The tiny model's job, with pairs of answers."""
    job = {**tiny.write_job(folder, **{"beta": 0.1, "learning_rate_multiplier": 100.0, **settings}), "method": "dpo"}
    for name in ("train", "held_out"):
        job[name] = [{**one, "number": 0, "answer": "no", "rejected": "yes, yes"} for one in job[name]]
    (folder / "job.json").write_text(json.dumps(job))
    return job


def test_pairs_are_learnt_and_held_out_ones_tell_it_by_the_step(tmp_path: Path) -> None:
    job, heard = write_pairs(tmp_path / "job", n_epochs=5), Heard()
    run(tmp_path / "job", job, heard)
    found, steps = result(tmp_path / "job"), [one["figures"] for one in heard.of("step")]
    assert steps[0]["train_loss"] == pytest.approx(math.log(2), abs=1e-4)
    assert steps[-1]["train_loss"] < steps[0]["train_loss"] * 0.5
    held_out = [one for one in steps if "valid_reward_margin" in one]
    assert len(held_out) >= 5
    assert held_out[-1]["valid_reward_margin"] > held_out[0]["valid_reward_margin"]
    assert held_out[-1]["valid_reward_accuracy"] == steps[-1]["train_reward_accuracy"] == 1.0
    assert found["after"] == dict.fromkeys(found["before"], 1.0)
    assert found["after"].keys() == {one["id"] for one in job["held_out"]}
    assert found["figures"]["preference_accuracy"] == found["figures"]["valid_reward_accuracy"] == 1.0
    assert found["figures"]["preference_accuracy_before"] == sum(found["before"].values()) / len(found["before"])
    epochs = [one["figures"] for one in heard.of("checkpoint")]
    assert epochs[-1]["valid_loss"] == found["figures"]["valid_loss"] < epochs[0]["valid_loss"] < math.log(2)
    assert found["general_after"].keys() == found["general_before"].keys() == {one["id"] for one in job["general"]}
    assert len(GGUFReader(tmp_path / "job" / "adapter.gguf").tensors) == 2 * 7 * tiny.LAYERS


def test_what_is_read_to_judge_pairs_by_counts_as_what_is_learnt(tmp_path: Path) -> None:
    folder = tmp_path / "job"
    job, heard = write_pairs(folder, n_epochs=2), Heard()
    run(folder, job, heard)
    examples = loop._encoded(folder, job, read_header(Path(job["weights"])), Heard())
    train, held_out, general = (sum(map(tokens_of, examples[name])) for name in ("train", "held_out", "general"))
    looks = sum("valid_reward_margin" in one["figures"] for one in heard.of("step"))
    assert looks > 0
    assert result(folder)["tokens"] == train * (1 + 2) + held_out * (2 + 1 + looks) + general * 2


def test_pairs_that_are_read_before_the_first_step_are_told_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "EMIT_SECONDS", 0.0)
    job, heard = write_pairs(tmp_path, n_epochs=1), Heard()
    run(tmp_path, job, heard)
    examples = loop._encoded(tmp_path, job, read_header(Path(job["weights"])), Heard())
    before = [one.get("tokens", 0) for one in heard[: [one["event"] for one in heard].index("step")]]
    assert sum(sum(map(tokens_of, some)) for some in examples.values()) in before


def test_the_loss_is_the_formula_s_with_the_model_that_it_began_as(tmp_path: Path) -> None:
    """Worked out here one answer at a time, with a model of its own for the reference."""
    folder = tmp_path / "job"
    job = write_pairs(folder, beta=0.3)
    header = read_header(Path(job["weights"]))
    chats = Chats(str(folder / "tokenizer.json"), header.template, header.end, header.begin, header.adds_begin)
    training = PreferenceTraining(folder, job, Heard(), loop._encoded(folder, job, header, Heard()), header)
    training._resume()
    with torch.no_grad():
        for parameter in training._learnt:
            parameter.add_(0.05)
    base = load_model(Path(job["weights"]), header)

    def log_probability(model: Any, example: dict[str, Any], answer: str) -> float:
        found = chats.encode({**example, "answer": answer})
        with torch.no_grad():
            logits = model(torch.tensor([found.ids])).logits[0, found.prompt - 1 : -1]
        targets = torch.tensor(found.ids[found.prompt :])
        return -float(functional.cross_entropy(logits, targets, reduction="sum"))

    batch, wanted = training._plan.batches[0], []
    by_id = {one["id"]: one for one in job["train"]}
    for pair in batch:
        example = by_id[pair.id]
        ratios = [
            log_probability(training._model, example, example[name]) - log_probability(base, example, example[name])
            for name in ("answer", "rejected")
        ]
        wanted.append(math.log(1 + math.exp(-0.3 * (ratios[0] - ratios[1]))))
    assert training._share_of_loss(batch, batch).item() == pytest.approx(sum(wanted) / len(wanted), rel=1e-4)
    assert abs(sum(wanted) / len(wanted) - math.log(2)) > 1e-3


def test_a_long_answer_that_is_likelier_by_token_is_right_by_token_and_wrong_by_sum(tmp_path: Path) -> None:
    folder = tmp_path / "job"
    job = write_pairs(folder)
    for one in job["held_out"]:
        one["answer"], one["rejected"] = one["rejected"], one["answer"]
    header = read_header(Path(job["weights"]))
    training = PreferenceTraining(folder, job, Heard(), loop._encoded(folder, job, header, Heard()), header)
    tokens = torch.tensor([[row.learnt for row in pair.rows] for pair in training._held_out])
    assert (tokens[:, 0] > tokens[:, 1]).all()
    even = -tokens.float()
    even[:, 1] -= 0.1
    assert training._accuracies("", even) == {"preference_accuracy": 1.0, "preference_accuracy_by_sum": 0.0}


def test_an_interrupted_job_comes_to_the_same_loss_and_the_same_adapter(tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    run(whole, write_pairs(whole, n_epochs=3), Heard())
    job = write_pairs(broken, n_epochs=3)
    with pytest.raises(KeyboardInterrupt):
        run(broken, job, Heard(killed_after=6))
    again = Heard()
    run(broken, job, again)
    assert [one["step"] for one in again.of("step")] == [4, 5, 6, 7, 8, 9]
    one, other = result(whole), result(broken)
    one["figures"].pop("seconds"), other["figures"].pop("seconds")
    assert one == other
    assert (whole / "adapter.gguf").read_bytes() == (broken / "adapter.gguf").read_bytes()


def test_pairs_of_two_sets_that_share_ids_have_references_of_their_own(tmp_path: Path) -> None:
    """A validation set is another set, in which the same id is another question's."""
    folder, heard, again = tmp_path / "job", Heard(killed_after=1), Heard()
    job = write_pairs(folder)
    job["held_out"] = [{**one, "id": job["train"][n]["id"]} for n, one in enumerate(job["held_out"])]
    job["settings"] |= {"batch_size": len(job["train"]), "learning_rate_multiplier": 1e-6, "n_epochs": 3}
    (folder / "job.json").write_text(json.dumps(job))
    with pytest.raises(KeyboardInterrupt):
        run(folder, job, heard)
    run(folder, job, again)
    losses = [one["figures"]["train_loss"] for one in [*heard.of("step"), *again.of("step")]]
    assert len(losses) >= 3
    assert losses == pytest.approx([math.log(2)] * len(losses), abs=1e-4)


def test_a_process_that_is_killed_goes_on_to_the_same_loss(tmp_path: Path) -> None:
    """kill -9 of the real process behind its first epoch. It can't get to its end before: nobody reads what it tells,
    and a pipe of a page is full long before that."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    heard = Heard()
    run(whole, write_pairs(whole, n_epochs=EPOCHS), heard)
    write_pairs(broken, n_epochs=EPOCHS)
    with trainer(broken) as process:
        assert process.stdout is not None
        fcntl.fcntl(process.stdout.fileno(), fcntl.F_SETPIPE_SZ, mmap.PAGESIZE)
        told = (json.loads(line) for line in process.stdout)
        assert any(line["event"] == "checkpoint" for line in told)
        assert any(line["event"] == "step" for line in told), "it goes on once the checkpoint is written"
        process.kill()
    assert not (broken / "result.json").exists()
    with trainer(broken) as process:
        again = [line for line in lines(process) if line["event"] == "step"]
        assert process.wait(SECONDS) == 0
    assert again[0]["step"] > 3
    assert again[-1]["figures"]["train_loss"] == heard.of("step")[-1]["figures"]["train_loss"]
    assert result(broken)["after"] == result(whole)["after"]
    assert (whole / "adapter.gguf").read_bytes() == (broken / "adapter.gguf").read_bytes()


def test_pairs_of_one_question_are_judged_together(tmp_path: Path) -> None:
    job = write_pairs(tmp_path / "job", n_epochs=5)
    first = job["held_out"][0]
    job["held_out"].append({**first, "number": 1, "answer": "yes, yes", "rejected": "no"})
    run(tmp_path / "job", job, Heard())
    assert result(tmp_path / "job")["after"][first["id"]] == 0.5


def test_a_loss_that_is_no_number_ends_the_job_with_what_to_do(tmp_path: Path) -> None:
    job = write_pairs(tmp_path / "job", learning_rate_multiplier=1e30, schedule="constant")
    with pytest.raises(Impossible, match="learning_rate_multiplier") as ended:
        run(tmp_path / "job", job, Heard())
    assert ended.value.code == "loss_not_finite"
    assert not (tmp_path / "job" / "result.json").exists()


def test_both_answers_count_in_what_may_be_read_and_in_what_is_too_long(tmp_path: Path) -> None:
    job, heard = write_pairs(tmp_path / "job", n_epochs=1), Heard()
    job["train"][0]["rejected"] = "x" * 200
    run(tmp_path / "job", job, heard)
    assert heard.of("message")[0]["message"].startswith("1 of train are longer than 128 tokens")
    job = write_pairs(tmp_path / "job", n_epochs=1)
    tokens = sum(len(one["messages"][0]["content"]) + len("no") for one in job["train"])
    with pytest.raises(Impossible) as ended:
        run(tmp_path / "job", {**job, "most_tokens": 4 * tokens}, Heard())
    assert ended.value.code == "too_many_tokens"
