# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "lm-eval[api]==0.4.13",
#   "tokenizers",
#   "transformers>=4.57,<6",
# ]
# ///
"""lm-eval with tasks of its own: answers by `local-completions` and `local-chat-completions`, and multiple choice by
`local-completions` and a model behind a server that tells the probabilities of a prompt's own tokens."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tokenizers import Tokenizer, models, pre_tokenizers

GENERATION = """
task: answers
dataset_path: json
dataset_kwargs: {data_files: {test: %s}}
test_split: test
output_type: generate_until
doc_to_text: "{{question}}"
doc_to_target: "{{answer}}"
generation_kwargs: {until: ["\\n\\n"], max_gen_toks: 20, do_sample: false}
metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]
"""
CHOICE = """
task: choices
dataset_path: json
dataset_kwargs: {data_files: {test: %s}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{question}}"
doc_to_choice: "{{choices}}"
doc_to_target: "{{gold}}"
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
  - {metric: acc_norm, aggregation: mean, higher_is_better: true}
"""
ANSWERS = [{"question": "What is the capital of France?", "answer": "The capital of France is Paris, on the Seine."}]
CHOICES = [
    {"question": "The capital of France is", "choices": ["Lyon", "Paris"], "gold": 1},
    {"question": "The capital of Spain is", "choices": ["Madrid", "Seville"], "gold": 0},
    {"question": "The largest city of Spain is not", "choices": ["Paris", "Seville"], "gold": 1},
]
"""The model likes Paris best, then Madrid: it is wrong about the last."""


def write_tasks(folder: Path) -> None:
    """Both tasks, and a tokenizer of whole words, as the server's is."""
    for task, name, rows in ((GENERATION, "answers", ANSWERS), (CHOICE, "choices", CHOICES)):
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
        (folder / f"{name}.yaml").write_text(task % (folder / f"{name}.jsonl"))
    words = {word for row in CHOICES for text in (row["question"], *row["choices"]) for word in str(text).split()}
    known = {word: number for number, word in enumerate(["<eos>", "<unk>", *sorted(words)])}
    tokenizer = Tokenizer(models.WordLevel(known, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(folder / "tokenizer.json"))
    about = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<eos>", "unk_token": "<unk>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(about))


def evaluate(folder: Path, task: str, kind: str, model: str, *more: str) -> str:
    """The table that lm-eval prints."""
    arguments = ["--model", kind, "--model_args", f"{model},max_retries=1", "--tasks", task, *more]
    command = [sys.executable, "-m", "lm_eval", *arguments, "--include_path", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    sys.stdout.write(done.stdout)
    return done.stdout


with tempfile.TemporaryDirectory() as name:
    place, url = Path(name), os.environ["OPENAI_BASE_URL"]
    write_tasks(place)
    texts = "tokenizer_backend=None,tokenized_requests=False"
    said = evaluate(place, "answers", "local-completions", f"model=talker,base_url={url}/completions,{texts}")
    assert re.search(r"exact_match\W+1\|", said), said
    chat = f"model=talker,base_url={url}/chat/completions"
    said = evaluate(place, "answers", "local-chat-completions", chat, "--apply_chat_template")
    assert re.search(r"exact_match\W+1\|", said), said
    likely = f"model=likely,base_url={url}/completions,tokenizer={place},tokenizer_backend=huggingface"
    said = evaluate(place, "choices", "local-completions", f"{likely},tokenized_requests=False")
    assert re.search(r"acc\W+0\.6667\|", said), said
