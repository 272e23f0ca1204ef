"""Publishes what a tuning job has learnt as the lab does, for a model that vLLM serves."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Any

from tests.support.inference.running import Inference

from contracts.models.tuning import PIECE_BYTES

JOB, NAME = "ftjob_1", "base+acme.support"


def entry(url: str, weights: Path, tokenizer: Path, **more: Any) -> dict[str, Any]:
    """The base, as a models file declares it."""
    return {
        "name": "base",
        "kind": "chat",
        "engine": "openai",
        "context_length": 1024,
        "tokenizer": str(tokenizer),
        "default": True,
        "tool_protocol": "constrained",
        "source": {"base_url": f"{url}/v1", "upstream_model": "smollm2"},
        "vllm": {"lora": {"weights": {"path": str(weights)}, "rank": 8, "at_once": 2}},
        **more,
    }


async def publish(
    inference: Inference, weights: Path, adapter: Path, job: str = JOB, parent: str = "base"
) -> tuple[int, dict[str, Any]]:
    """Send the adapter in pieces, and declare it."""
    content, base = await asyncio.to_thread(lambda: (adapter.read_bytes(), weights.read_bytes()))
    for number, at in enumerate(range(0, len(content), PIECE_BYTES)):
        path = f"/v1/tuning-jobs/{job}/adapter/{number}"
        status, answer = await called(inference, "PUT", path, data=content[at : at + PIECE_BYTES])
        assert status == 204, answer
    body = {
        "parent": parent,
        "parent_digest": f"sha256:{hashlib.sha256(base).hexdigest()}",
        "job": job,
        "digest": f"sha256:{hashlib.sha256(content).hexdigest()}",
        "method": "supervised",
        "training_set": "set:support@1",
        "figures": {},
    }
    return await called(inference, "PUT", "/v1/tuned-models/support", json=body)


async def called(inference: Inference, method: str, path: str, **given: Any) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {inference.token_of('chat', 'evaluations:write')}"}
    async with inference.session.request(method, inference.url + path, headers=headers, **given) as answer:
        return answer.status, await answer.json() if answer.content_type == "application/json" else None


async def ask(inference: Inference, name: str, question: str, tokens: int = 16, **more: Any) -> tuple[int, Any]:
    """The model's own greedy answer."""
    messages = [{"role": "user", "content": question}]
    body = {"model": name, "messages": messages, "max_tokens": tokens, "temperature": 0, "repetition_penalty": 1.0}
    return await called(inference, "POST", "/v1/chat/completions", json=body | more)
