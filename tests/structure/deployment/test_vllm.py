"""deploy/vllm: what vLLM is started with, read from the models file and the environment, in compose and on Ray."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from inference.catalog.models_file import load_models_file

ROOT = Path(__file__).resolve().parents[3]
SERVE = ROOT / "deploy" / "vllm" / "serve.py"
CONFIG = ROOT / "deploy" / "config"


def started(name: str, models: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, SERVE, name, "--models", models, "--print"]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    file = tmp_path / "models.yaml"
    file.write_text((CONFIG / "models.yaml").read_text().replace("\n  # ", "\n  "))
    return file


def test_the_models_file_says_how_a_model_is_served_and_the_environment_on_what() -> None:
    words = started(
        "qwen3-8b", CONFIG / "models.gpu.yaml", VLLM_TENSOR_PARALLEL="4", VLLM_EXECUTOR="ray"
    ).stdout.split()
    pairs = dict(pairwise(words))
    assert pairs["--model"] == pairs["--served-model-name"] == "Qwen/Qwen3-8B"
    assert (pairs["--max-model-len"], pairs["--tool-call-parser"], pairs["--reasoning-parser"]) == (
        "32768",
        "hermes",
        "qwen3",
    )
    assert (pairs["--tensor-parallel-size"], pairs["--distributed-executor-backend"]) == ("4", "ray")
    assert {"--enable-prefix-caching", "--enable-chunked-prefill", "--enable-auto-tool-choice"} <= set(words)


def test_traces_are_exported_only_where_a_collector_is_named() -> None:
    plain = started("qwen3-8b", CONFIG / "models.gpu.yaml").stdout.split()
    traced = started("qwen3-8b", CONFIG / "models.gpu.yaml", VLLM_OTLP_ENDPOINT="http://collector:4318/").stdout.split()
    assert "--otlp-traces-endpoint" not in plain
    assert dict(pairwise(traced))["--otlp-traces-endpoint"] == "http://collector:4318/v1/traces"


def test_quantization_and_further_arguments_are_passed_on(examples: Path) -> None:
    words = started("qwen3-32b-awq", examples, VLLM_PREFIX_CACHING="false").stdout.split()
    assert words[words.index("--quantization") + 1] == "awq"
    assert words[-2:] == ["--max-num-seqs", "64"]
    assert "--no-enable-prefix-caching" in words


def test_a_model_that_can_be_tuned_takes_adapters_of_its_rank_while_it_runs(tmp_path: Path) -> None:
    entry = yaml.safe_load((CONFIG / "models.gpu.yaml").read_text())["models"][-1]
    entry["vllm"]["lora"] = {"weights": {"path": "/models/m.gguf"}, "rank": 32}
    file = tmp_path / "models.yaml"
    file.write_text(yaml.safe_dump({"models": [entry | {"tokenizer": "/models/tokenizer.json"}]}))
    lora = load_models_file(file).models[0].vllm.lora  # type: ignore[union-attr]
    assert lora is not None
    words = started(entry["name"], file).stdout.split()
    assert "--enable-lora" in words
    pairs = dict(pairwise(words))
    assert (pairs["--max-lora-rank"], pairs["--max-loras"]) == (str(lora.rank), str(lora.at_once))
    assert "--enable-lora" not in started("qwen3-8b", CONFIG / "models.gpu.yaml").stdout.split()


def test_a_model_that_vllm_does_not_serve_is_refused_with_those_that_it_does(examples: Path) -> None:
    refused = started("claude-sonnet", examples)
    assert refused.returncode == 2
    assert "declares no model 'claude-sonnet'" in refused.stderr
    assert "qwen3-8b" in refused.stderr


def test_compose_and_ray_start_the_same_server_with_variables_that_it_knows() -> None:
    known = SERVE.read_text()
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["vllm"]
    ray = yaml.safe_load((ROOT / "deploy/vllm/ray.yml").read_text())["services"]
    environment: dict[str, Any] = compose["environment"] | ray["head"]["environment"]
    theirs = {"HF_TOKEN", "VLLM_HOST_IP", "VLLM_NO_USAGE_STATS"}
    for name in set(environment) - theirs:
        suffix = name.removeprefix("VLLM_").lower().replace("_", "-")
        assert f'"{name}"' in known or f'"{suffix}"' in known, name
    assert {compose["image"]} == {service["image"] for service in ray.values()}
    assert compose["command"] == ray["head"]["command"]
    assert "serve.py" in compose["entrypoint"][1]
    assert "serve.py" in ray["head"]["entrypoint"][2]


def test_the_tested_version_is_the_deployed_one() -> None:
    tested = (ROOT / "tests/vllm/install.py").read_text().partition('VERSION = "')[2].partition('"')[0]
    for file in ("docker-compose.yml", "deploy/vllm/ray.yml", "deploy/k8s/components/vllm/vllm.yaml"):
        assert f"vllm/vllm-openai:v{tested}" in (ROOT / file).read_text(), file
