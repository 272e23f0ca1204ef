"""A chat model learns on the device that is chosen; here on one of tensors without content."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from services.lab.tests.training import tiny
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM

from lab.training import device
from lab.training.device import device_of, precision_on
from lab.training.encoding import Encoded
from lab.training.impossible import Impossible
from lab.training.loop import answer_logits
from lab.training.lora import LoraLinear, add_lora
from lab.training.state import State, load, save

GPU, ELSEWHERE = torch.device("cuda", 0), torch.device("meta")
SECONDS = 300
ROWS = (Encoded("a", (0, 5, 6, 7, 1), 2), Encoded("b", (0, 9, 1), 1))


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device.torch.cuda, "device_count", lambda: 2)


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device.torch.cuda, "device_count", lambda: 0)


@pytest.mark.usefixtures("no_gpu")
def test_without_a_gpu_it_learns_on_the_processor_in_float32() -> None:
    for job in ({}, {"device": "auto"}, {"device": "cpu"}):
        assert device_of(job).type == "cpu"
    assert precision_on(device_of({})) is torch.float32


@pytest.mark.usefixtures("no_gpu")
def test_a_gpu_that_is_not_there_is_said_with_what_to_do() -> None:
    with pytest.raises(Impossible, match="LAB_TUNING_DEVICE") as failed:
        device_of({"device": "cuda"})
    assert failed.value.code == "device_not_there"


@pytest.mark.usefixtures("two_gpus")
def test_each_of_several_processes_takes_the_next_gpu_unless_the_processor_is_wanted() -> None:
    assert [device_of({"device": "cuda"}, rank).index for rank in range(3)] == [0, 1, 0]
    assert device_of({"device": "auto"}) == GPU
    assert device_of({"device": "cpu"}, 1).type == "cpu"
    assert precision_on(GPU) is torch.bfloat16


def test_the_process_ends_with_that_failure_before_it_learns(tmp_path: Path) -> None:
    job = tiny.write_job(tmp_path)
    (tmp_path / "job.json").write_text(json.dumps(job | {"device": "cuda"}))
    command = [sys.executable, "-m", "lab.training", str(tmp_path)]
    unseen = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=unseen) as process:
        assert process.stdout is not None
        last = process.stdout.readlines()[-1]
        assert process.wait(SECONDS) == 1
    assert json.loads(last)["failed"] == "device_not_there"
    assert not (tmp_path / "adapter.gguf").exists()


def model_elsewhere() -> tuple[Any, Sequence[LoraLinear]]:
    """A model on a device that is not this one: its tensors have no content, and torch computes their shapes."""
    config = LlamaConfig(
        vocab_size=258,
        hidden_size=tiny.WIDTH,
        intermediate_size=tiny.INNER,
        num_hidden_layers=tiny.LAYERS,
        num_attention_heads=tiny.HEADS,
        num_key_value_heads=tiny.KEY_VALUE_HEADS,
        attn_implementation="eager",  # the other one looks into the mask, which has no content
    )
    model = LlamaForCausalLM(config).to(ELSEWHERE, precision_on(GPU))
    return model, list(add_lora(model.model, 4, 8.0, 0).values())


def test_what_is_learnt_is_float32_beside_weights_in_bfloat16_where_these_are() -> None:
    _, learnt = model_elsewhere()
    assert {(one.a.device, one.b.device) for one in learnt} == {(ELSEWHERE, ELSEWHERE)}
    assert {one.a.dtype for one in learnt} == {torch.float32}
    assert {one.inner.weight.dtype for one in learnt} == {torch.bfloat16}


def test_examples_are_read_where_the_model_is_and_losses_reach_what_is_learnt() -> None:
    model, learnt = model_elsewhere()
    given: dict[str, torch.Tensor] = {}
    model.model.register_forward_pre_hook(lambda _, __, named: given.update(named), with_kwargs=True)
    logits, targets, rows = answer_logits(model, ROWS)
    assert {given[name].device for name in ("input_ids", "attention_mask")} == {ELSEWHERE}
    assert (logits.device, targets.device, rows.device.type) == (ELSEWHERE, ELSEWHERE, "cpu")
    assert (logits.shape, logits.dtype) == ((5, 258), torch.float32)
    loss = functional.cross_entropy(logits, targets, reduction="none").sum()
    slopes = torch.autograd.grad(loss, [parameter for one in learnt for parameter in (one.a, one.b)])
    assert {(slope.device, slope.dtype) for slope in slopes} == {(ELSEWHERE, torch.float32)}


def test_a_checkpoint_is_read_here_wherever_it_was_written(tmp_path: Path) -> None:
    save(tmp_path, State(step=3), {"learnt": [torch.ones(2)]})
    found = load(tmp_path)
    assert found is not None
    assert found[1]["learnt"][0].device.type == "cpu"
