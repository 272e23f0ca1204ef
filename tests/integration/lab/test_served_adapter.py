"""What the packaged model has learnt is what llama.cpp serves: the same tokens, template, weights and adapter."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.integration.inference.test_llamacpp_adapters import model
from tests.support.inference.packaged import packaged_gguf
from tests.support.inference.running import Inference, running_inference

from inference.catalog.gguf_header import read_header as served_header
from inference.catalog.gguf_tokenizer import tokenizer_json
from lab.training.encoding import Chats
from lab.training.header import read_header
from lab.training.loop import run
from lab.training.lora import add_lora
from lab.training.state import load
from lab.training.weights import load_model

TOPICS = ("refund", "delivery", "warranty", "invoice", "password", "account", "discount", "repair", "payment", "visit")
ASKS = ("Whom do I ask about my {}?", "Where do I write for a {}?")
SETTINGS = {"n_epochs": 3, "batch_size": 4, "learning_rate_multiplier": 4.0, "rank": 8, "schedule": "cosine"}
SEED, RANK = 7, 8
WORDS = 24
"""Tokens of an answer that is looked at."""
NEAR = 0.5
"""Nats by which the trainer may like another token better: llama.cpp rounds what it multiplies to eight bits, and
chooses otherwise where two tokens are about as likely. Another template or order of rows is off by whole nats."""


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A job's folder, once it is done."""
    folder = tmp_path_factory.mktemp("job")
    written = tokenizer_json(served_header(packaged_gguf()))
    assert written is not None
    (folder / "tokenizer.json").write_bytes(written)
    examples = [
        {"id": f"{topic}{number}", "messages": asked(ask.format(topic)), "answer": f"Write to {topic}@support.example."}
        for topic in TOPICS
        for number, ask in enumerate(ASKS)
    ]
    job = {
        "weights": str(packaged_gguf()),
        "base": "sha256:packaged",
        "seed": SEED,
        "threads": 2,
        "most_tokens": 100_000,
        "settings": {**SETTINGS, "max_tokens": 128},
        "train": examples[:14],
        "held_out": examples[14:],
        "general": [],
        "longer": {"train": 0, "held_out": 0, "general": 0},
    }
    run(folder, job, lambda event, **more: None)
    return folder


def asked(question: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": question}]


def gaps(folder: Path, said: Sequence[tuple[list[dict[str, str]], str]]) -> list[float]:
    """Of each served token, by how much the trainer likes another one better, in nats; 0 where it is its own choice."""
    header = read_header(packaged_gguf())
    chats = Chats(str(folder / "tokenizer.json"), header.template, header.end, header.begin, header.adds_begin)
    trained = load_model(packaged_gguf(), header)
    lora = add_lora(trained.model, RANK, 2.0 * RANK, SEED)
    found = load(folder)
    assert found is not None
    parameters = [parameter for one in lora.values() for parameter in (one.a, one.b)]
    differences: list[float] = []
    with torch.no_grad():
        for parameter, value in zip(parameters, found[1]["learnt"], strict=True):
            parameter.copy_(value)
        for messages, answer in said:
            example = chats.encode({"id": "", "messages": messages, "answer": answer})
            ids = torch.tensor([example.ids[:-1]])
            logits = trained(input_ids=ids).logits[0, example.prompt - 1 : -1]
            chosen = logits.gather(1, ids[0, example.prompt :, None])[:, 0]
            differences += (logits.max(dim=1).values - chosen).tolist()
    return differences


async def answers(served: Inference, name: str, questions: Sequence[str]) -> list[str]:
    told = []
    for question in questions:
        body: dict[str, Any] = {"model": name, "messages": asked(question), "max_tokens": WORDS, "temperature": 0}
        async with served.post("/v1/chat/completions", {**body, "repetition_penalty": 1.0}) as answer:
            assert answer.status == 200, await answer.text()
            told.append(str((await answer.json())["choices"][0]["message"]["content"]))
    return told


async def test_the_served_adapter_says_what_the_trainer_would(tmp_path: Path, learnt: Path) -> None:
    questions = [ask.format(topic) for topic in TOPICS for ask in ASKS]
    models = [model("plain"), model("adapted", (learnt / "adapter.gguf", 1.0))]
    models = [{**one, "generation": {"max_tokens": 512, "temperature": 0}} for one in models]
    async with running_inference(tmp_path, models) as served:
        await served.dependencies.models.loaded()
        plain = await answers(served, "plain", questions[:2])
        said = await answers(served, "adapted", questions)
    assert not [one for one in plain if "support.example" in one]
    assert sum("@support.example" in one for one in said) > len(said) * 0.8, said
    found = gaps(learnt, [(asked(question), answer) for question, answer in zip(questions, said, strict=True)])
    agreed = sum(gap <= NEAR for gap in found) / len(found)
    assert agreed >= 0.99, sorted(found)[-10:]
    result = json.loads((learnt / "result.json").read_text())
    assert all(result["after"][name] < loss for name, loss in result["before"].items())
