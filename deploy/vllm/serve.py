"""Starts vLLM for one model of the models file, so that the file is the one place where a model is described.

Usage: python3 deploy/vllm/serve.py NAME [--models FILE] [--print]

What belongs to the model (name, context, quantization, tool and reasoning parser) comes from the file; what belongs to
the machine comes from the environment:

| variable | default | meaning |
| --- | --- | --- |
| VLLM_TENSOR_PARALLEL | 1 | GPUs of one host that share each layer |
| VLLM_PIPELINE_PARALLEL | 1 | groups of layers, usually hosts |
| VLLM_EXECUTOR | mp | mp: processes of this host; ray: a Ray cluster of several (deploy/vllm/ray.yml) |
| VLLM_GPU_MEMORY | 0.9 | share of a GPU's memory that vLLM may fill |
| VLLM_PREFIX_CACHING · VLLM_CHUNKED_PREFILL | true | keep what prompts begin with · read long prompts in parts |
| VLLM_MAX_SEQUENCES | vLLM's own | answers that are written at once |
| VLLM_HOST · VLLM_PORT | 0.0.0.0 · 8000 | where to listen |
| VLLM_OTLP_ENDPOINT | none | collector of traces (OTLP over HTTP, `http://collector:4318`): vLLM's spans join ours |
| VLLM_API_KEY | none | key that callers must give; vLLM reads it itself |

Runs where vLLM is installed: only the standard library and PyYAML, which vLLM brings.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

SERVER = "vllm.entrypoints.openai.api_server"
DEFAULT_FILE = Path("/etc/groundwork/models.yaml")


class NotServed(Exception):
    """The models file does not say how vLLM would serve that model."""


def declared(file: Path, name: str) -> dict[str, Any]:
    """The model's entry; raises `NotServed`."""
    models = yaml.safe_load(file.read_text(encoding="utf-8")).get("models") or []
    served = [model for model in models if model.get("engine") == "openai" and "vllm" in model]
    for model in served:
        if model.get("name") == name:
            return dict(model)
    names = ", ".join(str(model.get("name")) for model in served) or "none"
    raise NotServed(
        f"{file} declares no model '{name}' with `engine: openai` and `vllm`; there is: {names}. "
        "Uncomment an example there, or set VLLM_SERVES to one of them."
    )


def arguments(model: Mapping[str, Any], environment: Mapping[str, str]) -> list[str]:
    """vLLM's arguments for a model on a machine."""
    options, source = model.get("vllm") or {}, model["source"]
    words = ["--model", options.get("model") or source["upstream_model"]]
    words += ["--served-model-name", source["upstream_model"]]
    words += ["--host", environment.get("VLLM_HOST", "0.0.0.0"), "--port", environment.get("VLLM_PORT", "8000")]
    length = model.get("context_length") or model.get("max_input_tokens")
    words += ["--max-model-len", str(length)] if length else []
    words += ["--quantization", model["quantization"]] if model.get("quantization") else []
    if options.get("tool_parser"):
        words += ["--enable-auto-tool-choice", "--tool-call-parser", options["tool_parser"]]
    if options.get("reasoning_parser"):
        words += ["--reasoning-parser", options["reasoning_parser"]]
    if lora := options.get("lora"):
        words += ["--enable-lora", "--max-lora-rank", str(lora.get("rank", 16))]
        words += ["--max-loras", str(lora.get("at_once", 4))]
    return words + _machine(environment) + [str(word) for word in options.get("arguments") or ()]


def _machine(environment: Mapping[str, str]) -> list[str]:
    words = ["--tensor-parallel-size", environment.get("VLLM_TENSOR_PARALLEL", "1")]
    words += ["--pipeline-parallel-size", environment.get("VLLM_PIPELINE_PARALLEL", "1")]
    words += ["--distributed-executor-backend", environment.get("VLLM_EXECUTOR", "mp")]
    words += ["--gpu-memory-utilization", environment.get("VLLM_GPU_MEMORY", "0.9")]
    for flag in ("prefix-caching", "chunked-prefill"):
        wanted = environment.get(f"VLLM_{flag.replace('-', '_').upper()}", "true").lower() in ("true", "1", "yes")
        words.append(f"--{'enable' if wanted else 'no-enable'}-{flag}")
    sequences, collector = environment.get("VLLM_MAX_SEQUENCES"), environment.get("VLLM_OTLP_ENDPOINT")
    words += ["--max-num-seqs", sequences] if sequences else []
    return words + (["--otlp-traces-endpoint", f"{collector.rstrip('/')}/v1/traces"] if collector else [])


def main() -> int:
    """Become vLLM, or print what it would be started with."""
    parser = argparse.ArgumentParser(description="Start vLLM for a model of the models file.")
    parser.add_argument("name", help="the model's name in the models file")
    parser.add_argument("--models", type=Path, default=DEFAULT_FILE, help="the models file")
    parser.add_argument("--print", action="store_true", help="print vLLM's arguments, one a line, and start nothing")
    asked = parser.parse_args()
    try:
        words = arguments(declared(asked.models, asked.name), os.environ)
    except (NotServed, OSError) as problem:
        print(problem, file=sys.stderr)
        return 2
    if asked.print:
        print("\n".join(words))
        return 0
    if "--enable-lora" in words:
        os.environ.setdefault("VLLM_ALLOW_RUNTIME_LORA_UPDATING", "True")  # inference loads what tuning jobs learn
    os.environ.setdefault("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf")  # vLLM's own default is gRPC
    print(f"vllm {' '.join(words)}", file=sys.stderr, flush=True)
    return os.execv(sys.executable, [sys.executable, "-m", SERVER, *words])


if __name__ == "__main__":
    raise SystemExit(main())
