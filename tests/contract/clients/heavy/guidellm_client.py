# /// script
# requires-python = ">=3.11,<3.13"
# dependencies = [
#   "guidellm==0.8.1",
# ]
# ///
"""guidellm: it checks the server by itself, then measures chat and completions by the tokens that usage tells."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

REQUESTS = 4
QUESTION = {"prompt": "What is the capital of France?"}


def measure(folder: Path, model: str, path: str) -> dict[str, Any]:
    """What guidellm reports of a few calls, one after another."""
    prompts, report = folder / "prompts.jsonl", folder / "report.json"
    prompts.write_text("\n".join([json.dumps(QUESTION)] * REQUESTS))
    target, key = os.environ["GATEWAY_URL"], os.environ["OPENAI_API_KEY"]
    backend = f"kind=openai_http,target={target},api_key={key},model={model}"
    options = {
        "--backend": f"{backend},request_format={path}",
        "--profile": "kind=synchronous",
        "--constraint": f"kind=max_requests,count={REQUESTS}",
        "--data": f"kind=json_file,path={prompts}",
        "--output": f"kind=json,path={report}",
    }
    arguments = [each for pair in options.items() for each in pair]
    command = [Path(sys.executable).parent / "guidellm", "run", "--disable-console", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return dict(json.loads(report.read_text())["benchmarks"][0])


with tempfile.TemporaryDirectory() as name:
    for asked, path in (
        ("talker", "/v1/chat/completions"),
        ("talker", "/v1/completions"),
        ("rag:handbook", "/v1/chat/completions"),
    ):
        metrics = measure(Path(name), asked, path)["metrics"]
        assert metrics["request_totals"]["successful"] == REQUESTS, metrics["request_totals"]
        assert metrics["output_token_count"]["successful"]["mean"] > 0, "usage tells the tokens"
