# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "lm-eval[api]==0.4.13",
# ]
# ///
"""lm-eval: a task of its own by `local-completions`. Its multiple-choice tasks want the probabilities of a prompt's
own tokens, which only models behind a server that has them can tell."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

TASK = """
task: capitals
dataset_path: json
dataset_kwargs: {data_files: {test: %s}}
test_split: test
output_type: generate_until
doc_to_text: "{{question}}"
doc_to_target: "{{answer}}"
generation_kwargs: {until: ["\\n\\n"], max_gen_toks: 20, do_sample: false}
metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]
"""
ROW = {"question": "What is the capital of France?", "answer": "The capital of France is Paris, on the Seine."}


def evaluate(folder: Path) -> subprocess.CompletedProcess[str]:
    """What lm-eval says of one question."""
    rows = folder / "rows.jsonl"
    rows.write_text(json.dumps(ROW))
    (folder / "capitals.yaml").write_text(TASK % rows)
    url = f"{os.environ['OPENAI_BASE_URL']}/completions"
    model = f"model=talker,base_url={url},tokenizer_backend=None,tokenized_requests=False,max_retries=1"
    arguments = ["--model", "local-completions", "--model_args", model, "--tasks", "capitals", "--include_path"]
    command = [sys.executable, "-m", "lm_eval", *arguments, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


with tempfile.TemporaryDirectory() as name:
    written = evaluate(Path(name))
    assert written.returncode == 0, written.stderr[-3000:]
    assert re.search(r"exact_match\W+1\|", written.stdout), written.stdout
