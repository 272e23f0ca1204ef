"""llama.cpp's process and inference are killed while answers stream: each stream ends whole or says that it failed.

`make chaos-inference [STREAMS=200] [KILLS=40] [SEED=n]`. Half of the kills are of the one, half of the other.
"""

from __future__ import annotations

import importlib.util
import os
import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import psutil
import pytest
import yaml
from tests.support.home.stack import RunningHome, running_home
from tests.support.inference.packaged import packaged_chat_model
from tests.support.inference.running import EMBEDDING

pytestmark = pytest.mark.skipif(importlib.util.find_spec("xllamacpp") is None, reason="xllamacpp has no wheel here")
STREAMS, KILLS, SEED = (
    int(os.environ.get(name, few)) for name, few in (("STREAMS", "40"), ("KILLS", "6"), ("SEED", "1"))
)
AT_ONCE = 6
"""Two more than the model has slots, so that some wait when it is killed."""
ASK_AGAIN = frozenset(
    (
        "queue_full",
        "model_not_ready",
        "circuit_open",
        "inference_unreachable",
        "upstream_unreachable",
        "upstream_error",
        "upstream_timeout",
    )
)
"""Codes of calls that have not begun, in which clients ask again."""
SILENT_SECONDS = 120.0
"""A stream that says nothing for so long hangs."""
BACK_SECONDS = 120.0


@dataclass
class Load:
    """People who ask until the streams and the kills are done."""

    home: RunningHome
    begun: int = 0
    running: int = 0
    is_over: threading.Event = field(default_factory=threading.Event)
    ends: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, person: int) -> None:
        chance = random.Random(SEED * 1000 + person)
        with httpx2.Client(base_url=self.home.base_url, timeout=SILENT_SECONDS) as client:
            while number := self._next():
                end = self.stream(client, number, chance.randint(20, 120))
                while end in ASK_AGAIN:
                    time.sleep(0.2)
                    end = self.stream(client, number, chance.randint(20, 120))
                with self.lock:
                    self.ends[end] += 1

    def _next(self) -> int:
        with self.lock:
            if self.begun >= STREAMS and self.is_over.is_set():
                return 0
            self.begun += 1
            return self.begun

    def stream(self, client: httpx2.Client, number: int, tokens: int) -> str:
        """How a stream ended, or the code with which it was refused; what is neither raises."""
        asked = f"Tell me story number {number} of a lighthouse."
        body = {
            "model": "smollm2",
            "stream": True,
            "max_tokens": tokens,
            "messages": [{"role": "user", "content": asked}],
        }
        headers = {"Authorization": f"Bearer {self.home.admin_key}"}
        with client.stream("POST", "/v1/chat/completions", json=body, headers=headers) as answer:
            with self.lock:
                self.running += answer.status_code == 200
            try:
                text = answer.read().decode()
            finally:
                with self.lock:
                    self.running -= answer.status_code == 200
        if answer.status_code != 200:
            error = answer.json()["error"]
            assert error["code"] in ASK_AGAIN, error
            return str(error["code"])
        if "event: error" in text or '"error"' in text:
            return "an error event"
        assert text.endswith("data: [DONE]\n\n"), text[-500:]
        assert '"finish_reason":"' in text, text[-500:]
        return "whole"


def model_process(home: RunningHome) -> psutil.Process | None:
    """The process that has the model loaded and listens, if there is one."""
    try:
        inference = psutil.Process(home.supervisor.processes()["inference"].pid)
        for child in inference.children():
            if any(each.status == psutil.CONN_LISTEN for each in child.net_connections("inet")):
                return child
    except psutil.Error:
        pass
    return None


def kill_while_it_streams(load: Load, whom: str) -> float:
    """Kill one of them beneath at least two streams, after one more was whole; the seconds until the model is back."""
    whole = load.ends["whole"]
    wait_until(lambda: load.ends["whole"] > whole, "no stream is whole")
    wait_until(lambda: load.running >= 2 and model_process(load.home) is not None, "nothing streams")
    model = model_process(load.home)
    assert model is not None
    victim = model if whom == "llama.cpp" else model.parent()
    assert victim is not None
    victim.kill()
    started = time.monotonic()
    wait_until(lambda: (now := model_process(load.home)) is not None and now.pid != model.pid, f"{whom} is not back")
    return time.monotonic() - started


def wait_until(is_so, otherwise: str) -> None:  # type: ignore[no-untyped-def]
    until = time.monotonic() + BACK_SECONDS
    while not is_so():
        assert time.monotonic() < until, otherwise
        time.sleep(0.02)


def test_every_stream_under_kills_ends_whole_or_with_an_error(tmp_path: Path) -> None:
    model = packaged_chat_model() | {"context_length": 512, "queue": {"at_once": 4, "waiting": 8}}
    (tmp_path / "models.yaml").write_text(yaml.safe_dump({"models": [model, EMBEDDING]}))
    back: dict[str, list[float]] = {"llama.cpp": [], "inference": []}
    with running_home(tmp_path) as home:
        load = Load(home)
        with ThreadPoolExecutor(AT_ONCE) as people:
            asking = [people.submit(load.ask, person) for person in range(AT_ONCE)]
            try:
                for number in range(KILLS):
                    whom = ("llama.cpp", "inference")[number % 2]
                    back[whom].append(kill_while_it_streams(load, whom))
            finally:
                load.is_over.set()
            for each in asking:
                each.result()
        with httpx2.Client(base_url=home.base_url, timeout=SILENT_SECONDS) as client:  # once circuits close
            wait_until(lambda: load.stream(client, 0, 8) == "whole", "no stream is whole after the kills")
    print(f"{load.begun} streams, {KILLS} kills: {dict(load.ends)}")  # noqa: T201
    for whom, seconds in back.items():
        told = ", ".join(f"{each:.1f}" for each in sorted(seconds))
        print(f"{whom} killed: back after {told} s")  # noqa: T201
    assert load.ends.total() == load.begun
    assert load.ends["whole"] >= KILLS
    assert load.ends["an error event"], "no kill met a stream"
