from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from services.lab.tests.training import tiny
from services.lab.tests.training.test_loop import Heard, result
from transformers import BertConfig, BertModel

from lab.training import loop
from lab.training.encoders import embedding
from lab.training.encoders.embedding import run
from lab.training.encoders.model import load_encoder
from lab.training.impossible import Impossible
from lab.tuning.methods.lora import layers_of, matrices_bytes

WIDTH, COUNT = 32, 24
SETTINGS = {"n_epochs": 4, "batch_size": 8, "learning_rate_multiplier": 10.0, "rank": 4, "schedule": "constant"}


def write_encoder(folder: Path, head: Mapping[str, torch.Tensor] | None = None) -> Path:
    """A BERT of random weights that reads bytes, with a reading model's head where one is given."""
    folder.mkdir(parents=True, exist_ok=True)
    tokens = tiny.write_tokenizer(folder / "tokenizer.json")
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=len(tokens),
        hidden_size=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=48,
        max_position_embeddings=64,
        initializer_range=0.3,
    )
    state = {name: value.clone() for name, value in BertModel(config).state_dict().items()}
    state |= {f"head.{name}": value for name, value in (head or {}).items()}
    about = {"config": config.to_dict(), "pooling": "mean", "limit": 64, "prefix": "ask: "}
    save_file(state, folder / "encoder.safetensors", {"encoder": json.dumps(about)})
    return folder / "encoder.safetensors"


def write_job(folder: Path, **changes: Any) -> dict[str, Any]:
    """Questions of numbers, each of a document with one chunk."""
    weights = write_encoder(folder)
    chunks = np.random.default_rng(1).normal(size=(COUNT, WIDTH)).astype("<f4")
    (chunks / np.linalg.norm(chunks, axis=1, keepdims=True)).tofile(folder / "vectors.f32")
    return {
        "method": "embedding",
        "form": "lora",
        "weights": str(weights),
        "vectors": "vectors.f32",
        "dimensions": WIDTH,
        "threads": 1,
        "owners": list(range(COUNT)),
        "train": [{"id": f"t{at}", "question": f"What is {at}?", "chunks": [at]} for at in range(COUNT)],
        "held_out": [{"id": f"h{at}", "question": f"What is {at}?", "grades": {str(at): 1}} for at in range(COUNT)],
        "general": [],
        "base": "a digest",
        "seed": 7,
        "most_tokens": 1_000_000,
        "settings": {**SETTINGS, **changes},
    }


def test_questions_come_nearer_to_what_answers_them_by_matrices_beside_every_layer(tmp_path: Path) -> None:
    job, heard = write_job(tmp_path, n_epochs=20), Heard()
    run(tmp_path, job, heard)
    found = result(tmp_path)
    losses = [one["figures"]["train_loss"] for one in heard.of("step")]
    assert losses[-1] < losses[0] / 2
    assert sum(found["after"].values()) > sum(found["before"].values()) + 2
    assert found["after"].keys() == {one["id"] for one in job["held_out"]}
    assert len(found["matrices"]) == 2 * 6, "query, key, value, two of the feed-forward and the one behind attention"
    size = sum(len(one["down"]) + len(one["up"]) for one in found["matrices"].values())
    assert matrices_bytes(layers_of(Path(job["weights"])), SETTINGS["rank"]) == size, "known before it was learnt"
    train, held_out = (sum(len(f"ask: {one['question']}") for one in job[name]) for name in ("train", "held_out"))
    assert found["tokens"] == 20 * train + 21 * held_out, "what judges is read, too: before and after each epoch"
    assert heard.of("step")[-1]["tokens"] == found["tokens"] - held_out


def test_a_job_that_ends_while_it_is_judged_has_told_what_was_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "EMIT_SECONDS", 0.0)
    monkeypatch.setattr(embedding, "AT_ONCE", 8)
    job, heard = write_job(tmp_path, n_epochs=1), Heard()
    run(tmp_path, job, heard)
    held_out = sum(len(f"ask: {one['question']}") for one in job["held_out"])
    told = [one["tokens"] for one in heard.of("alive")]
    assert len(told) == 2 * COUNT // 8
    assert (told[2], told[-1]) == (held_out, result(tmp_path)["tokens"])


def test_an_interrupted_job_comes_to_the_same_loss_and_the_same_matrices(tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    run(whole, write_job(whole), Heard())
    job, again = write_job(broken), Heard()
    with pytest.raises(KeyboardInterrupt):
        run(broken, job, Heard(killed_after=6))
    run(broken, job, again)
    assert next(one["step"] for one in again.of("step")) < 12
    one, other = result(whole), result(broken)
    assert one["figures"]["train_loss"] == other["figures"]["train_loss"]
    assert (one["matrices"], one["after"], one["tokens"]) == (other["matrices"], other["after"], other["tokens"])


def test_the_vectors_that_the_verdict_was_of_are_those_of_what_was_learnt(tmp_path: Path) -> None:
    job = write_job(tmp_path)
    run(tmp_path, job, Heard())
    about = {name: job[name] for name in ("method", "form", "weights", "threads")}
    run(
        tmp_path,
        {**about, "said": ["What is 1?", "Longer: what is 2?"], "artifact": result(tmp_path)},
        Heard(),
    )
    found = json.loads((tmp_path / "parity.json").read_text())
    plain = load_encoder(Path(job["weights"]), tmp_path / "tokenizer.json")
    with torch.no_grad():
        vector = plain.vectors([plain.ids("What is 1?")])[0]
    np.testing.assert_allclose(found["base"][0], vector.numpy(), atol=1e-5)
    cosines = np.sum(np.array(found["base"]) * np.array(found["tuned"]), axis=1)
    assert (cosines < 0.999).all()
    np.testing.assert_allclose(np.linalg.norm(found["tuned"], axis=1), 1, atol=1e-5)


def test_more_tokens_than_may_be_read_and_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Impossible, match="LAB_TUNING_TOKENS"):
        run(tmp_path, {**write_job(tmp_path), "most_tokens": 100}, Heard())
    (tmp_path / "encoder.safetensors").write_bytes(b"no weights")
    with pytest.raises(Impossible, match="can't be tuned here"):
        run(tmp_path, write_job(tmp_path) | {"weights": str(tmp_path / "tokenizer.json")}, Heard())
