"""What deploy/vllm/serve.py starts vLLM with, read by vLLM's own parser."""

from __future__ import annotations

import json
import subprocess
from itertools import product
from typing import Any

import yaml
from tests.vllm.conftest import ROOT, SERVE, VLLM


def test_vllm_knows_every_flag_that_it_is_started_with(tmp_path: Any) -> None:
    lines = (ROOT / "deploy/config/models.yaml").read_text().replace("\n  # ", "\n  ")
    (tmp_path / "models.yaml").write_text(lines)
    names = [model["name"] for model in yaml.safe_load(lines)["models"] if "vllm" in model]
    assert names
    machines = [
        {
            "VLLM_EXECUTOR": executor,
            "VLLM_TENSOR_PARALLEL": "2",
            "VLLM_PREFIX_CACHING": caching,
            "VLLM_MAX_SEQUENCES": "9",
        }
        for executor, caching in product(("mp", "ray"), ("true", "false"))
    ]
    started = [
        subprocess.run(
            [VLLM / "bin/python", SERVE, name, "--models", tmp_path / "models.yaml", "--print"],
            env=machine,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
        for name, machine in product(names, machines)
    ]
    checked = subprocess.run(
        [VLLM / "bin/python", "-c", PARSE], input=json.dumps(started), capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stderr[-3000:]
    assert checked.stdout.splitlines()[-1] == f"{len(started)} parsed"


PARSE = """
import json, sys
from vllm.entrypoints.launchers.cli_args import make_arg_parser, validate_parsed_serve_args
from vllm.utils.argparse_utils import FlexibleArgumentParser
commands = json.load(sys.stdin)
for command in commands:
    parsed = make_arg_parser(FlexibleArgumentParser()).parse_args(command)
    validate_parsed_serve_args(parsed)
    assert parsed.enable_prefix_caching is not None and parsed.enable_chunked_prefill is True
print(len(commands), "parsed")
"""
