"""What was learnt on the packaged model is loaded into a real vLLM while it runs, says what the trainer would, is there
again after a restart, and gone with its model."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.integration.lab.test_served_adapter import ASKS, TOPICS, asked, learnt
from tests.support.inference.on_vllm import ask, called, publish
from tests.support.inference.packaged import packaged_gguf
from tests.support.inference.running import EMBEDDING, Inference, running_inference
from tests.vllm.conftest import START_SECONDS, Vllm

from lab.training.parity import run as run_parity

pytestmark = pytest.mark.asyncio(loop_scope="session")
__all__ = ["learnt"]
MORE = ("How do I get help with a {}?", "Who answers questions about a {}?", "I have a problem with my {}.")
QUESTIONS = [words.format(topic) for words in (*ASKS, *MORE) for topic in TOPICS]
"""50, as the parity gate asks."""
LEAST, WORDS, AT_ONCE = 0.99, 16, 3


def serving_on(vllm: Vllm, folder: Path) -> AbstractAsyncContextManager[Inference]:
    """Inference with its state in `folder`, the same each time."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    return running_inference(
        folder,
        [vllm.declared, EMBEDDING],
        data_dir=folder / "data",
        vllm_adapters_dir=folder / "adapters",
        added_hosts=vllm.url.removeprefix("http://"),
        upstream_seconds=START_SECONDS,
    )


async def answers(inference: Inference, model: str, questions: Sequence[str]) -> list[dict[str, Any]]:
    """What a model says to each question, for the trainer to look at."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def answer(question: str) -> dict[str, Any]:
        async with slots:
            status, told = await ask(inference, model, question, WORDS)
        assert status == 200, told
        choice = told["choices"][0]
        is_whole, text = choice["finish_reason"] == "stop", choice["message"]["content"]
        return {"id": question, "messages": asked(question), "answer": text, "is_whole": is_whole}

    return await asyncio.gather(*(answer(question) for question in questions))


def agreement(folder: Path, said: Mapping[str, Sequence[Any]]) -> dict[str, float]:
    """Of both models, the share of their tokens that the trainer would have chosen, too."""
    job = {"weights": str(packaged_gguf()), "threads": 2, "settings": {"rank": 8}, "said": said}
    run_parity(folder, job, lambda event, **more: None)
    found: dict[str, dict[str, float]] = json.loads((folder / "parity.json").read_text())
    return {which: sum(shares.values()) / len(shares) for which, shares in found.items()}


async def loaded(vllm: Vllm) -> set[str]:
    async with aiohttp.ClientSession() as session, session.get(f"{vllm.url}/v1/models") as answer:
        return {one["id"] for one in (await answer.json())["data"]} - {"smollm2"}


async def test_what_was_learnt_is_served_by_vllm_while_it_runs_and_after_each_restart(
    vllm: Vllm, tmp_path: Path, learnt: Path
) -> None:
    base = vllm.declared["name"]
    name = f"{base}+acme.support"
    async with serving_on(vllm, tmp_path) as inference:
        status, model = await publish(inference, packaged_gguf(), learnt / "adapter.gguf", parent=base)
        assert (status, model["id"], model["state"]) == (200, name, "ready"), model
        said = {"base": await answers(inference, base, QUESTIONS[::5])}
        said["tuned"] = await answers(inference, name, QUESTIONS)
        (adapter,) = await loaded(vllm)
        await vllm.start_anew(adapter)
        again = await ask(inference, name, QUESTIONS[0], WORDS)
        assert again[1]["choices"][0]["message"]["content"] == said["tuned"][0]["answer"]
    await vllm.unload(adapter)
    async with serving_on(vllm, tmp_path) as inference:
        status, answer = await ask(inference, name, QUESTIONS[0], WORDS)
        assert status == 200, answer
        assert answer["choices"][0]["message"]["content"] == said["tuned"][0]["answer"]
        assert await loaded(vllm) == {adapter}
        status, told = await called(inference, "DELETE", f"/v1/tuned-models/{name}")
        assert status == 204, told
        assert (await ask(inference, name, QUESTIONS[0]))[0] == 404
    assert not await loaded(vllm)
    assert not list((tmp_path / "adapters").iterdir())
    assert sum("@support.example" in one["answer"] for one in said["tuned"]) > len(QUESTIONS) * 0.8, said["tuned"]
    assert not [one for one in said["base"] if "support.example" in one["answer"]]
    shares = await asyncio.to_thread(agreement, learnt, said)
    assert shares["tuned"] >= LEAST, shares
