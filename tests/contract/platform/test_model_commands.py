"""`groundwork model`: one command connects each kind of server, at once, through gateway and inference."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cli.tests.terminal import run
from tests.support.gateway.running import RunningGateway, running_gateway
from tests.support.inference.fake_upstream import Upstream
from tests.support.inference.running import CHAT, EMBEDDING, serving, settings_for

from groundwork.client import Groundwork
from inference.bootstrap import create_app as inference_app

USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
SAID: dict[str, Any] = {
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello."}, "finish_reason": "stop"}],
    "usage": USAGE,
}
KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "COHERE_API_KEY")
ASK = {"messages": [{"role": "user", "content": "Say hello"}], "max_tokens": 9}


@dataclass
class Platform:
    gateway: RunningGateway
    upstream: Upstream
    server: str

    async def command(self, *words: str) -> Any:
        """What a command did, run as somebody types it."""
        options = ("--base-url", self.gateway.url, "--api-key", self.gateway.admin_key)
        return await asyncio.to_thread(run, *options, "model", *words)  # what the services log is in its output, too

    async def ask(self, model: str) -> Any:
        answer = await self.gateway.call("POST", "/v1/chat/completions", json=ASK | {"model": model})
        return await answer.json()


@pytest.fixture
async def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Platform]:
    for name in KEYS:
        monkeypatch.setenv(name, f"the-{name}")
    upstream = Upstream()
    upstream.say(200, SAID)
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(serving(upstream.app))
        allowed = {
            "added_hosts": server.removeprefix("http://"),
            "added_keys": ",".join(f"{name}=127.0.0.1" for name in KEYS),
            "delegation_public_key_file": tmp_path / "d.pub",
        }
        settings = settings_for(tmp_path, [CHAT, EMBEDDING]).model_copy(update=allowed)
        inference_url = await stack.enter_async_context(serving(inference_app(settings)))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        async with session.get(f"{inference_url}/healthz"):
            pass  # it has begun: Alembic brings one schema up to date at a time in a process
        gateway = await stack.enter_async_context(running_gateway(tmp_path, inference_url=inference_url))
        yield Platform(gateway, upstream, server)


@pytest.mark.parametrize(
    ("place", "path", "sent", "key"),
    [
        ("openai", "/v1", {"max_completion_tokens": 9}, "OPENAI_API_KEY"),
        ("anthropic", "/v1", {"max_tokens": 9}, "ANTHROPIC_API_KEY"),
        ("gemini", "/v1beta/openai", {"max_tokens": 9}, "GEMINI_API_KEY"),
        ("cohere", "/compatibility/v1", {"max_tokens": 9}, "COHERE_API_KEY"),
        ("ollama", "/v1", {"max_tokens": 9}, None),
        ("vllm", "/v1", {"max_tokens": 9}, None),
    ],
)
async def test_one_command_connects_a_server_and_its_model_answers_at_once(
    platform: Platform, place: str, path: str, sent: dict[str, Any], key: str | None
) -> None:
    done = await platform.command("add", "far", f"--{place}", "org/far", "--url", platform.server + path, "--default")
    assert done.exit_code == 0, done.output
    assert "'far' is ready, and the default for chat" in done.output
    for name in ("far", "default"):
        answer = await platform.ask(name)
        assert answer["choices"][0]["message"]["content"] == "Hello.", answer
    assert platform.upstream.path == f"{path}/chat/completions"
    assert platform.upstream.sent["model"] == "org/far"
    assert sent.items() <= platform.upstream.sent.items()
    assert platform.upstream.headers.get("authorization") == (f"Bearer the-{key}" if key else None)


async def test_an_embedding_model_and_a_reranker_are_added_alike(platform: Platform) -> None:
    platform.upstream.say(200, {"data": [{"index": 0, "embedding": [3.0, 4.0]}], "usage": USAGE})
    done = await platform.command(
        "add", "nomic", "--ollama", "nomic-embed-text", "--url", platform.server,
        "--kind", "embedding", "--dimensions", "2", "--context", "2048",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    answer = await platform.gateway.call("POST", "/v1/embeddings", json={"model": "nomic", "input": "x"})
    assert (await answer.json())["data"][0]["embedding"] == pytest.approx([0.6, 0.8])
    platform.upstream.say(200, {"results": [{"index": 0, "relevance_score": 0.9}]})
    done = await platform.command(
        "add", "judge", "--cohere", "rerank-v3.5", "--url", f"{platform.server}/v2", "--kind", "rerank"
    )
    assert done.exit_code == 0, done.output
    ranked = await platform.gateway.call(
        "POST", "/v1/rerank", json={"model": "judge", "query": "q", "documents": ["d"]}
    )
    assert (await ranked.json())["results"][0]["relevance_score"] == 0.9


async def test_a_wrong_key_is_told_when_the_model_is_added(platform: Platform) -> None:
    platform.upstream.refuses_probes = True
    platform.upstream.say(401, {"error": {"message": "Incorrect API key provided"}})
    done = await platform.command("add", "far", "--openai", "gpt-4.1-mini", "--url", platform.server)
    assert done.exit_code == 1
    assert "'far' is added. not answering:" in done.output
    assert "its key is right" in done.output
    assert "groundwork model remove far" in done.output
    listed = await platform.command("list")
    assert "not answering" in listed.output
    assert "models.yaml" in listed.output


async def test_a_file_that_is_no_model_is_told_with_its_reason(platform: Platform, tmp_path: Path) -> None:
    file = tmp_path / "m.gguf"
    file.write_bytes(b"no model at all")
    done = await platform.command("add", "bad", "--gguf", str(file))
    assert done.exit_code == 1
    assert "'bad' is added. failed to load: m.gguf is no GGUF file" in " ".join(done.output.split())
    gone = await platform.command("add", "gone", "--gguf", str(tmp_path / "gone.gguf"))
    assert gone.exit_code == 1
    assert "there is no file gone.gguf where its declaration says" in " ".join(gone.output.split())


async def test_a_model_is_removed_and_the_default_goes_back(platform: Platform) -> None:
    await platform.command("add", "far", "--vllm", "org/far", "--url", platform.server)
    chosen = await platform.command("default", "far")
    assert "'far' is the default for chat now." in chosen.output
    assert (await platform.command("default", "talker")).exit_code == 0
    assert "'far' is removed." in (await platform.command("remove", "far")).output
    again = await platform.command("remove", "far")
    assert again.exit_code == 1
    assert "There is no model 'far'" in again.output
    fixed = await platform.command("remove", "talker")
    assert "declared in the models file, which wins" in fixed.output


async def test_the_client_shows_what_a_model_is(platform: Platform) -> None:
    await platform.command("add", "far", "--ollama", "org/far", "--url", platform.server)

    def look() -> Any:
        with Groundwork(platform.gateway.url, platform.gateway.admin_key) as client:
            return client.model("far")

    shown = await asyncio.to_thread(look)
    assert (shown.id, shown.state, shown.added, shown.context_length) == ("far", "ready", True, 4096)
    assert shown.digest is None


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "Say where the model is"),
        (("--openai", "a", "--ollama", "b"), "Say where the model is"),
        (("--openai", "a", "--kind", "song"), "no kind of model"),
        (("--openai", "a", "--kind", "embedding"), "--dimensions"),
        (("--anthropic", "a", "--kind", "embedding", "--dimensions", "3"), "known for chat only"),
        (("--vllm", "a", "--url", "http://10.0.0.1:8000/v1"), "Add 10.0.0.1:8000 to INFERENCE_ADDED_HOSTS"),
        (("--vllm", "a", "--url", "localhost"), "begins with http:// or https://"),
        (("--openai", "a", "--key-env", "AWS_SECRET_ACCESS_KEY"), "INFERENCE_ADDED_KEYS"),
    ],
)
async def test_what_can_not_be_added_is_one_sentence(platform: Platform, words: tuple[str, ...], says: str) -> None:
    done = await platform.command("add", "far", *words)
    assert done.exit_code == 1
    assert says in " ".join(done.output.split())


async def test_a_name_that_is_none_is_refused_in_words(platform: Platform) -> None:
    done = await platform.command("add", "two words", "--vllm", "a", "--url", platform.server)
    assert done.exit_code == 1
    assert "of letters (A-Z, a-z), digits, '.', '_', '+' and '-'" in " ".join(done.output.split())


async def test_pulls_say_that_there_was_none(platform: Platform) -> None:
    assert "No model was ever fetched" in " ".join((await platform.command("pulls")).output.split())
