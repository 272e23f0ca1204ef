"""What was learnt is loaded into the server that has it no more, once for a call, and the call is made again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from services.inference.tests.engines.openai.test_chat import (
    DONE,
    WHOLE,
    Answer,
    Server,
    asked,
    event,
    pieces_of,
    streamed,
    text_of,
    told,
)

from inference.catalog.sources import UpstreamSource
from inference.engines.openai import adapter
from inference.engines.openai.adapter import ATTEMPTS, Adapter, AdapterChat, AdapterGone, AdapterRefused
from inference.errors import CannotLoad, ModelNotReady
from inference.queueing.admission import Admission
from servicekit.peers.client import Peer

GONE = told({"error": {"message": "The model `groundwork-1` does not exist.", "code": 404}}, 404)
LOADED, UNLOADED = Answer(b"Success: loaded"), Answer(b"Success: removed")
HAS_IT = told({"data": [{"id": "org/far"}, {"id": "groundwork-1"}]})
REFUSED = told({"error": {"message": "LoRA rank 32 is greater than max_lora_rank 8"}}, 500)
HAS_NONE = told({"data": [{"id": "org/far"}]})


class Slow(Server):
    """Answers once it may."""

    def __init__(self, *answers: Answer) -> None:
        super().__init__(*answers)
        self.asked, self.may_answer = asyncio.Event(), asyncio.Event()

    @asynccontextmanager
    async def stream(self, method: str, path: str, **given: Any) -> AsyncIterator[Answer]:
        self.asked.set()
        await self.may_answer.wait()
        async with super().stream(method, path, **given) as answer:
            yield answer


def engine(server: Server, root: Server, *, is_declared: bool = True, is_proven: bool = False) -> AdapterChat:
    learnt = Adapter(
        "groundwork-1",
        Path("/shared/1"),
        write=lambda: None,
        is_declared=lambda: is_declared,
        is_proven=is_proven,
    )
    return AdapterChat(
        "far+support",
        cast("Peer", server),
        Admission("far+support", slots=1, waiting=0),
        source=UpstreamSource(base_url="http://far.test/v1", upstream_model="org/far"),
        api_key=None,
        context_length=1000,
        root=cast("Peer", root),
        adapter=learnt,
    )


async def test_a_call_that_meets_a_server_without_it_has_it_loaded_and_is_made_again() -> None:
    server, root = Server(GONE, told(WHOLE)), Server(LOADED)
    answer = await engine(server, root).complete(asked())
    assert answer.choices == tuple(WHOLE["choices"])
    assert [body["model"] for body in server.bodies] == ["groundwork-1"] * 2
    assert (root.paths, root.bodies) == (
        ["/v1/load_lora_adapter"],
        [{"lora_name": "groundwork-1", "lora_path": "/shared/1"}],
    )


async def test_a_stream_begins_once_it_is_loaded() -> None:
    server, root = Server(GONE, streamed(event("Hi"), event(reason="stop"), DONE)), Server(LOADED)
    assert text_of(await pieces_of(engine(server, root), asked(stream=True))) == "Hi"
    assert len(root.paths) == 1


async def test_a_server_that_never_has_it_is_asked_so_often_and_no_more() -> None:
    for stream in (False, True):
        server, root = Server(GONE), Server(LOADED)
        with pytest.raises(AdapterGone):
            await (pieces_of if stream else AdapterChat.complete)(engine(server, root), asked(stream=stream))
        assert (len(server.paths), len(root.paths)) == (ATTEMPTS + 1, ATTEMPTS)


async def test_a_probe_has_it_loaded_where_the_server_does_not_list_it() -> None:
    for listed, loads in ((HAS_IT, 0), (HAS_NONE, 1)):
        root = Server(LOADED)
        await engine(Server(listed), root).probe()
        assert len(root.paths) == loads


async def test_another_replica_may_have_had_it_loaded() -> None:
    there = told({"error": {"message": "The lora adapter 'groundwork-1' has already been loaded.", "code": 400}}, 400)
    await engine(Server(HAS_NONE), Server(there)).probe()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (told({"detail": "Not Found"}, 404), "--enable-lora"),
        (told({"error": {"message": "No adapter found for /shared/1"}}, 404), "INFERENCE_VLLM_ADAPTERS_DIR"),
        (told({"error": {"message": "LoRA rank 32 is greater than max_lora_rank 8"}}, 500), "rank 32 is greater"),
    ],
)
async def test_a_refusal_says_who_publishes_what_to_do_and_callers_nothing_of_the_server(
    answer: Answer, words: str
) -> None:
    with pytest.raises(CannotLoad, match=words) as published:
        await engine(Server(HAS_NONE), Server(answer)).open()
    assert "/shared/1" not in str(published.value)
    for ask in (AdapterChat.probe, lambda chat: chat.complete(asked()), lambda chat: pieces_of(chat, asked())):
        server = Server(HAS_NONE) if ask is AdapterChat.probe else Server(GONE)
        with pytest.raises(ModelNotReady) as refused:
            await ask(engine(server, Server(answer)))
        assert refused.value.message == (
            "The model 'far+support' is not ready: its server has not loaded what was learnt, and inference's log "
            "says why."
        )


async def test_an_adapter_is_loaded_before_its_model_takes_another_s_place() -> None:
    root = Server(LOADED)
    await engine(Server(HAS_NONE), root).open()
    assert root.paths == ["/v1/load_lora_adapter"]


async def test_a_server_that_is_away_or_refuses_what_it_had_is_asked_again_by_probes() -> None:
    await engine(Server(told({}, 503)), Server(LOADED)).open()
    await engine(Server(HAS_NONE), Server(REFUSED), is_proven=True).open()


async def test_all_who_come_meanwhile_wait_for_one_load_and_who_comes_soon_after_it_failed_hears_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root = Server(REFUSED)
    chat = engine(Server(HAS_NONE), root)
    answers = await asyncio.gather(*(chat.probe() for _ in range(40)), return_exceptions=True)
    assert {type(each) for each in answers} == {AdapterRefused}
    with pytest.raises(AdapterRefused):
        await chat.probe()
    assert len(root.paths) == 1
    monkeypatch.setattr(adapter, "RETRY_SECONDS", 0.0)
    with pytest.raises(AdapterRefused):
        await chat.probe()
    assert len(root.paths) == 2


async def test_who_gives_up_waiting_does_not_end_the_load() -> None:
    root = Slow(LOADED)
    chat = engine(Server(HAS_NONE, HAS_NONE), root)
    first = asyncio.create_task(chat.probe())
    await root.asked.wait()
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    second = asyncio.create_task(chat.probe())
    root.may_answer.set()
    await second
    assert len(root.paths) == 1


async def test_only_what_no_model_is_declared_with_is_unloaded() -> None:
    kept, gone = Server(UNLOADED), Server(UNLOADED)
    await engine(Server(HAS_IT), kept).close()
    await engine(Server(HAS_IT), gone, is_declared=False).close()
    assert (kept.paths, gone.paths) == ([], ["/v1/unload_lora_adapter"])
