"""The conformance suite on a real vLLM behind our `openai` engine, and what only a real one can show."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from collections.abc import AsyncIterator, Iterator
from itertools import product
from typing import Any

import pytest
import pytest_asyncio
import yaml
from tests.support import chat_conformance
from tests.support.chat_conformance import COUNT, Capabilities, ChatConformance, Subject, subject_of
from tests.support.inference_running import EMBEDDING, Inference, running_inference
from tests.vllm.conftest import CONTEXT, ROOT, SERVE, VLLM, Vllm

from inference.adapters.engine_backlog import waiting_in

pytestmark = pytest.mark.asyncio(loop_scope="session")
CAN = Capabilities(context_length=CONTEXT, strict=False, line=5)
PATIENCE_SECONDS = 300.0
"""Two cores that others use too answer slowly."""


@pytest.fixture(scope="session", autouse=True)
def _patience() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chat_conformance, "PATIENCE_SECONDS", PATIENCE_SECONDS)
        yield


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def inference(vllm: Vllm, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Inference]:
    folder = tmp_path_factory.mktemp("inference")
    async with running_inference(folder, [vllm.declared, EMBEDDING], upstream_seconds=PATIENCE_SECONDS) as service:
        yield service


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def subject(inference: Inference) -> AsyncIterator[Subject]:
    served = subject_of(f"{inference.url}/v1", inference.token, "smollm2-on-vllm", CAN)
    async with served.client:
        yield served


class TestVllm(ChatConformance):
    """Behind our `openai` engine."""


async def vllm_metric(inference: Inference, vllm: Vllm, name: str) -> float:
    async with inference.session.get(f"{vllm.url}/metrics") as answer:
        found = re.findall(rf"^vllm:{name}{{[^}}]*}} ([0-9.e+]+)$", await answer.text(), re.MULTILINE)
    assert found, f"vLLM has no metric {name}"
    return sum(float(value) for value in found)


async def test_a_caller_that_leaves_stops_vllms_own_work(inference: Inference, vllm: Vllm, subject: Subject) -> None:
    stream = await subject.client.chat.completions.create(
        model=subject.model, messages=[{"role": "user", "content": COUNT}], max_tokens=900, stream=True
    )
    async for _ in stream:
        break
    assert await vllm_metric(inference, vllm, "num_requests_running") == 1
    await stream.close()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await vllm_metric(inference, vllm, "num_requests_running"):  # noqa: ASYNC110  # another process
            await asyncio.sleep(0.1)
    assert await inference.metric("groundwork_inference_running") == 0


async def test_vllm_says_how_many_wait_inside_it(inference: Inference, vllm: Vllm) -> None:
    async with inference.session.get(f"{vllm.url}/metrics") as answer:
        assert waiting_in(await answer.text(), "smollm2") == 0


async def test_a_line_inside_vllm_that_is_full_refuses_more(vllm: Vllm, tmp_path: Any) -> None:
    declared = vllm.declared | {"queue": {"at_once": 64, "engine_waiting": 1}}
    async with running_inference(tmp_path, [declared, EMBEDDING], upstream_seconds=PATIENCE_SECONDS) as inference:
        body = {
            "model": declared["name"],
            "messages": [{"role": "user", "content": COUNT}],
            "max_tokens": 400,
            "stream": True,
        }
        calls = [
            asyncio.create_task(inference.post("/v1/chat/completions", body).__aenter__()) for _ in range(12)
        ]  # vLLM answers 4 at once
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                async with inference.post("/v1/chat/completions", body | {"max_tokens": 1}) as answer:
                    if answer.status == 429:
                        break
                await asyncio.sleep(0.2)
        assert (await answer.json())["error"]["code"] == "queue_full"
        assert int(answer.headers["Retry-After"]) >= 1
        for call in calls:
            call.cancel()
        for call in await asyncio.gather(*calls, return_exceptions=True):
            if not isinstance(call, BaseException):
                call.close()


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
