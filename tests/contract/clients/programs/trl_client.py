# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "datasets==5.2.0",
#   "torch>=2.13,<2.14",
#   "trl==1.16.0",
# ]
# ///
"""TRL and `datasets`: exports of feedback are loaded as they are, and DPO and KTO take a step of training with them."""

from __future__ import annotations

import json
import math
import os
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from datasets import Dataset, load_dataset
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer

GATEWAY, ADMIN_KEY = os.environ["GATEWAY_URL"], os.environ["ADMIN_API_KEY"]
TEMPLATE = "{% for m in messages %}{{ m['role'] + ' ' + m['content'] + ' end ' }}{% endfor %}"
QUESTIONS = 12
SECONDS = 60.0
SCOPES = ["chat", "agents:write", "feedback:review"]
PROMPT = {
    "name": "kind",
    "messages": [{"role": "system", "content": "Be {{how}}."}],
    "variables": {"how": {}, "number": {"type": "integer", "default": 0}},
    "examples": [{"input": "Hi?", "output": "Ho."}],
}


def call(path: str, key: str, body: dict[str, Any] | None = None) -> bytes:
    """A call, as a form of somebody's own makes it."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(GATEWAY + path, data, headers)) as answer:
        told: bytes = answer.read()
        return told


def rate_answers(key: str) -> None:
    """Two answers to each question, one liked and one corrected. Half of them were asked once before, and a third are
    asked by a prompt."""
    call("/v1/prompts", key, PROMPT)
    for number in range(QUESTIONS):
        question = {"role": "user", "content": f"Question {number}?"}
        history = [question, {"role": "assistant", "content": "Which?"}] * (number % 2)
        asked: dict[str, Any] = {"model": "default"}
        asked["messages"] = [{"role": "system", "content": "Be kind."}, *history, question]
        if number % 3 == 0:
            asked = {"model": "prompt:kind", "messages": [*history, question]}
            asked["groundwork"] = {"variables": {"how": f"kind {number}", "number": number}}
        for rating in ({"rating": "up"}, {"rating": 2, "correction": f"Better {number}, “ü” \u2028 \\n."}):
            answer = json.loads(call("/v1/chat/completions", key, asked))
            call("/v1/feedback", key, {"answer_id": answer["id"], **rating})


def exported(key: str, kind: str, folder: Path) -> dict[str, Dataset]:
    """What `datasets` loads of both splits, once all of it is there: records are written in groups."""
    until = time.monotonic() + SECONDS
    files = {split: folder / f"{kind}-{split}.jsonl" for split in ("train", "test")}
    while True:
        for split, file in files.items():
            file.write_bytes(call(f"/v1/feedback/export?format={kind}&split={split}&test_percent=50", key))
        questions = {
            json.dumps(json.loads(line)["prompt"]) for file in files.values() for line in file.open(newline="\n")
        }
        if len(questions) == QUESTIONS:
            return dict(load_dataset("json", data_files={name: str(file) for name, file in files.items()}))
        assert time.monotonic() < until, questions
        time.sleep(0.1)


def tiny_model(words: set[str], folder: Path) -> str:
    """The folder of a model that knows nothing, with a tokenizer of these words."""
    vocabulary = {word: at for at, word in enumerate(["[PAD]", "[UNK]", "end", *sorted(words)])}
    words_of = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    words_of.pre_tokenizer = Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words_of, pad_token="[PAD]", unk_token="[UNK]", eos_token="end", chat_template=TEMPLATE
    )
    shape = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    LlamaForCausalLM(LlamaConfig(vocab_size=len(vocabulary), **shape)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def train(trainer: Any, config: Any, folder: Path, loaded: dict[str, Dataset]) -> None:
    """One step with the training split, and an evaluation with the other; a loss is a number."""
    model = tiny_model({"Question", "Better", "You", "said", "system", "user", "assistant"}, folder / "tiny")
    wanted = config(
        output_dir=str(folder / "out"), max_steps=1, per_device_train_batch_size=2, per_device_eval_batch_size=2,
        report_to=[], use_cpu=True, bf16=False,
    )  # fmt: skip
    training = trainer(
        model=model, args=wanted,
        train_dataset=loaded["train"], eval_dataset=loaded["test"],
    )  # fmt: skip
    losses = training.train().training_loss, training.evaluate()["eval_loss"]
    assert all(math.isfinite(loss) for loss in losses), losses


made = json.loads(call("/v1/keys", ADMIN_KEY, {"name": "trl", "tenant": "trl", "scopes": SCOPES, "records": "full"}))
rate_answers(made["secret"])
with tempfile.TemporaryDirectory() as name:
    preferences = exported(made["secret"], "preference", Path(name))
    assert preferences["train"].column_names == ["prompt", "chosen", "rejected"]
    assert any(pair["chosen"][0]["content"].endswith("“ü” \u2028 \\n.") for pair in preferences["train"])
    pairs = [pair["prompt"] for split in preferences.values() for pair in split]
    by_prompt = {prompt[0]["content"]: [said["content"] for said in prompt[1:3]] for prompt in pairs}
    assert by_prompt.pop("Be kind.")
    assert by_prompt == {f"Be kind {number}.": ["Hi?", "Ho."] for number in range(0, QUESTIONS, 3)}
    train(DPOTrainer, DPOConfig, Path(name), preferences)
    labelled = exported(made["secret"], "kto", Path(name))
    assert set(labelled["train"]["label"]) == {True, False}
    train(KTOTrainer, KTOConfig, Path(name), labelled)
    file = Path(name) / "questions.jsonl"
    file.write_bytes(call("/v1/feedback/export?format=questions", made["secret"]))
    questions = load_dataset("json", data_files=str(file), split="train")
    assert (len(questions), set(questions["answerable"])) == (QUESTIONS, {True})
    variables = [one["variables"] for one in questions["metadata"] if one.get("variables")]
    assert sorted(json.loads(one)["number"] for one in variables) == list(range(0, QUESTIONS, 3))
