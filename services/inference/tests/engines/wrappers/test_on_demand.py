from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np
import pytest

from inference.engines.wrappers.on_demand import OnDemandEmbedding
from inference.errors import FileChanged, ModelBusy, ModelNotReady
from inference.protocol.engines import NO_EXTRA_FIELDS, EmbeddingResult, ExtraFields, Priority
from inference.protocol.prefixes import NO_PREFIXES, Prefixes
from inference.protocol.tokens import TokenCodec


class Inner:
    """An embedding engine that is opened when `may_open` is set, unless it is to fail."""

    def __init__(self) -> None:
        self.may_open = asyncio.Event()
        self.opened = self.probed = self.closed = 0
        self.failure: Exception | None = None

    async def open(self) -> None:
        self.opened += 1
        await self.may_open.wait()
        if self.failure is not None:
            raise self.failure

    async def close(self) -> None:
        self.closed += 1

    async def probe(self) -> None:
        self.probed += 1

    def tokenizer(self) -> bytes | None:
        return b"{}"

    def tokens(self) -> TokenCodec | None:
        return None

    def prefixes(self) -> Prefixes:
        return NO_PREFIXES

    async def embed(
        self, texts: Sequence[str], priority: Priority, extra: ExtraFields = NO_EXTRA_FIELDS
    ) -> EmbeddingResult:
        return EmbeddingResult(np.zeros((len(texts), 2), np.float32), len(texts), 0)


def on_demand(inner: Inner, **seconds: float) -> OnDemandEmbedding:
    return OnDemandEmbedding("m", inner, check=lambda: None, **seconds)


async def test_nothing_is_loaded_until_the_first_call_and_then_once_for_all_who_wait() -> None:
    inner = Inner()
    engine = on_demand(inner)
    await engine.open()
    await engine.probe()
    assert (inner.opened, inner.probed, engine.tokenizer()) == (0, 0, None)
    calls = [asyncio.create_task(engine.embed(["a"], "query")) for _ in range(3)]
    inner.may_open.set()
    assert [(await call).tokens for call in calls] == [1, 1, 1]
    assert inner.opened == 1
    await engine.probe()
    assert (inner.probed, engine.tokenizer()) == (1, b"{}")


async def test_a_caller_that_leaves_does_not_end_the_loading() -> None:
    inner = Inner()
    engine = on_demand(inner)
    first, second = (asyncio.create_task(engine.embed(["a"], "query")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    inner.may_open.set()
    assert (await second).tokens == 1
    assert inner.opened == 1


async def test_a_call_waits_no_longer_than_it_may_while_loading_goes_on() -> None:
    inner = Inner()
    engine = on_demand(inner, loading_seconds=0.01)
    with pytest.raises(ModelNotReady, match="it is being loaded") as waited:
        await engine.embed(["a"], "query")
    assert waited.value.retry_after == 5
    inner.may_open.set()
    await asyncio.wait({task for task in asyncio.all_tasks() if task is not asyncio.current_task()}, timeout=60)
    assert (await engine.embed(["a"], "query")).tokens == 1
    assert inner.opened == 1


async def test_no_more_calls_wait_for_it_than_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inference.engines.wrappers.on_demand.MOST_WAITING", 1)
    inner = Inner()
    engine = on_demand(inner)
    waiting = asyncio.create_task(engine.embed(["a"], "query"))
    await asyncio.sleep(0)
    with pytest.raises(ModelBusy):
        await engine.embed(["a"], "query")
    inner.may_open.set()
    assert (await waiting).tokens == 1
    assert (await engine.embed(["a"], "query")).tokens == 1


async def test_a_failure_is_told_to_all_and_to_the_probe_until_it_is_tried_again() -> None:
    inner = Inner()
    inner.failure = FileChanged("it has another sha256")
    inner.may_open.set()
    engine = on_demand(inner, retry_seconds=3600)
    for _ in range(2):
        with pytest.raises(ModelNotReady, match="it has another sha256") as failed:
            await engine.embed(["a"], "query")
        assert failed.value.code == "model_file_changed"
    with pytest.raises(ModelNotReady):
        await engine.probe()
    assert inner.opened == 1
    inner.failure = None
    again = on_demand(inner, retry_seconds=0)
    inner.failure = RuntimeError("odd")
    with pytest.raises(ModelNotReady, match="log says why"):
        await again.load()
    inner.failure = None
    await again.load()
    assert again.is_loaded


async def test_a_model_that_is_not_there_fails_at_the_start() -> None:
    def missing() -> None:
        raise FileChanged("not there")

    with pytest.raises(FileChanged):
        await OnDemandEmbedding("m", Inner(), check=missing).open()


async def test_closing_waits_for_what_is_being_loaded() -> None:
    inner = Inner()
    engine = on_demand(inner)
    call = asyncio.create_task(engine.embed(["a"], "query"))
    await asyncio.sleep(0)
    closing = asyncio.create_task(engine.close())
    await asyncio.sleep(0)
    assert inner.closed == 0
    inner.may_open.set()
    await asyncio.gather(closing, call)
    assert inner.closed == 1
