from __future__ import annotations

from typing import Any

from inference.engines.openai.backlog import BELIEVED_SECONDS, EngineBacklog, waiting_in
from servicekit.core.errors import NotReady
from servicekit.peers.client import PeerAnswer

METRICS = """# HELP vllm:num_requests_waiting Number of requests waiting to be processed.
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0",model_name="org/far"} %s
vllm:num_requests_waiting{engine="1",model_name="org/far"} 2.0
vllm:num_requests_waiting{engine="0",model_name="org/other"} 40.0
vllm:num_requests_waiting_by_reason{engine="0",model_name="org/far",reason="capacity"} 90.0
"""


class Metrics:
    """Stands where a `Peer` is."""

    def __init__(self, text: str) -> None:
        self.text: str | None = text

    async def send(self, method: str, path: str, **_: Any) -> PeerAnswer:
        if self.text is None:
            raise NotReady("away")
        return PeerAnswer(200, {}, self.text.encode())


def test_waiting_calls_are_read_from_vllm_and_from_llama_cpp() -> None:
    assert waiting_in(METRICS % "3.0", "org/far") == 5
    assert waiting_in(METRICS % "3.0", "a name that it does not know") == 45
    assert waiting_in("llamacpp:requests_deferred 4\nllamacpp:requests_processing 1\n", "any") == 4
    assert waiting_in("something_else 1\n", "org/far") is None


async def test_a_line_is_full_by_what_was_last_heard_and_what_came_since() -> None:
    metrics, now = Metrics(METRICS % "0"), 100.0
    backlog = EngineBacklog("far", metrics, upstream_model="org/far", most=4, now=lambda: now)  # type: ignore[arg-type]
    assert not backlog.is_full()  # nothing is known yet
    await backlog.refresh()
    backlog.add()
    assert not backlog.is_full()
    backlog.add()
    assert backlog.is_full()
    await backlog.refresh()
    assert not backlog.is_full()
    metrics.text = METRICS % "2.0"
    await backlog.refresh()
    assert backlog.is_full()
    await backlog.close()


async def test_an_empty_engine_may_take_much_at_once() -> None:
    metrics = Metrics('vllm:num_requests_waiting{engine="0",model_name="org/far"} 0.0\n')
    backlog = EngineBacklog("far", metrics, upstream_model="org/far", most=1)  # type: ignore[arg-type]
    await backlog.refresh()
    for _ in range(100):
        backlog.add()
    assert not backlog.is_full()
    await backlog.close()


async def test_what_was_heard_long_ago_is_not_believed() -> None:
    metrics, now = Metrics(METRICS % "9.0"), 100.0
    backlog = EngineBacklog("far", metrics, upstream_model="org/far", most=4, now=lambda: now)  # type: ignore[arg-type]
    await backlog.refresh()
    assert backlog.is_full()
    metrics.text = None
    await backlog.refresh()
    assert backlog.is_full()
    now += BELIEVED_SECONDS + 1
    assert not backlog.is_full()
    await backlog.close()
