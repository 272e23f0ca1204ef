"""Each service restarted in turn, under load: no call fails for a client that tries once more, no job is lost.

`ROLLS=5 pytest -s tests/chaos/test_rolling_restart.py` restarts everything five times.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
from tests.support.agent.calling_model import calling_model
from tests.support.home.all_kinds import write_models
from tests.support.home.stack import RunningHome, running_home

from groundwork.stack.supervision.programs import SERVICES
from groundwork.stack.supervision.readiness import READY_SECONDS, probe

ROLLS = int(os.environ.get("ROLLS") or 1)
CALM_SECONDS = 0.5
AGAIN_SECONDS = 1.0
"""What a client waits before its second try, unless it is told."""
PASSING = (429, 502, 503, 504)
PATIENT = {f"{name}_RESTART_SECONDS": "120" for name in ("GATEWAY", "AGENT", "INGEST")}
"""For machines on which a start takes longer than the 15 seconds for which services wait unless told."""
TEXT = "Project {0} has a budget of {0} euros and is led by team {0}. "


@dataclass
class Clients:
    """Callers of four kinds, each of which tries a call once more, and never a third time."""

    home: RunningHome
    over: threading.Event = field(default_factory=threading.Event)
    answered: Counter[str] = field(default_factory=Counter)
    again: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    uploaded: dict[str, str] = field(default_factory=dict)
    """Job by document."""

    def work(self, kind: str, call: Callable[[httpx2.Client, int], None]) -> None:
        headers = {"Authorization": f"Bearer {self.home.admin_key}"}
        with httpx2.Client(base_url=self.home.base_url, headers=headers, timeout=300) as http:
            number = 0
            while not self.over.is_set():
                number += 1
                try:
                    call(http, number)
                except Exception as error:  # noqa: BLE001  # whatever a caller meets is a failure
                    self.failures.append(f"{kind} {number}: {error!r}")
                else:
                    self.answered[kind] += 1

    def post(self, http: httpx2.Client, kind: str, path: str, body: dict[str, Any]) -> httpx2.Response:
        try:
            answer = http.post(path, json=body)
            pause = float(answer.headers.get("Retry-After", AGAIN_SECONDS))
            why = f"{answer.status_code} {answer.text[:200]}"
            if answer.status_code not in PASSING and "event: error" not in answer.text:
                assert answer.status_code < 300, why
                return answer
        except httpx2.TransportError as error:
            pause, why = AGAIN_SECONDS, repr(error)
        self.again[kind] += 1
        threading.Event().wait(pause)
        answer = http.post(path, json=body)
        assert answer.status_code < 300, f"{answer.status_code} {answer.text[:200]} after {why}"
        assert "event: error" not in answer.text, f"{answer.text[-300:]} after {why}"
        return answer

    def ask(self, http: httpx2.Client, number: int) -> None:
        question = {"role": "user", "content": f"What is the budget of project {number % 3}?"}
        body = {"model": "rag:steady", "messages": [question], "stream": number % 2 == 0}
        said = self.post(http, "ask", "/v1/chat/completions", body).text
        assert said.rstrip().endswith("[DONE]") if body["stream"] else '"finish_reason":"stop"' in said

    def search(self, http: httpx2.Client, number: int) -> None:
        body = {"query": f"budget of project {number % 3}", "limit": 3}
        found = self.post(http, "search", "/v1/collections/steady/search", body).json()
        assert found["hits"]

    def upload(self, http: httpx2.Client, number: int) -> None:
        document = f"new-{number}"
        body = {"text": TEXT.format(f"n{number}") * 20, "document_id": document}
        accepted = self.post(http, "upload", "/v1/collections/growing/documents", body).json()
        self.uploaded[document] = accepted["job"]["id"]
        threading.Event().wait(0.05)

    def run(self, http: httpx2.Client, number: int) -> None:
        body = {
            "model": "agent:reckoner",
            "messages": [{"role": "user", "content": f"6 * 7, for the {number}th time?"}],
        }
        assert "42" in self.post(http, "run", "/v1/chat/completions", body).text


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHome]:
    folder = tmp_path_factory.mktemp("rolling")
    with calling_model() as calling:
        models = write_models(folder / "models.yaml", calling)
        with running_home(folder / "home", {"INFERENCE_MODELS_FILE": str(models), **PATIENT}) as running:
            yield running


def _wait_until_ready(home: RunningHome) -> None:
    until, pause = time.monotonic() + READY_SECONDS, threading.Event()
    waiting = list(SERVICES)
    while waiting:
        waiting = [program for program in waiting if not probe(program, home.state).ready]
        assert time.monotonic() < until, f"not ready: {[program.name for program in waiting]}"
        pause.wait(0.1)


def test_a_rolling_restart_of_everything_fails_no_call_and_loses_no_job(home: RunningHome) -> None:
    for name in ("steady", "growing"):
        home.client.collections.ensure(name)
    for number in range(3):
        accepted = home.client.documents.add_text("steady", TEXT.format(number) * 10, document_id=f"p{number}")
        assert accepted.job is not None
        home.client.jobs.wait(accepted.job.id)
    home.client.agents.save("reckoner", {"model": "calls", "instructions": "Multiply.", "tools": ["calculator"]})
    clients, took, before = Clients(home), Counter[str](), _pids(home)
    with ThreadPoolExecutor(4) as pool:
        working = [
            pool.submit(clients.work, kind, call)
            for kind, call in {
                "ask": clients.ask, "search": clients.search, "upload": clients.upload, "run": clients.run,
            }.items()
        ]  # fmt: skip
        try:
            for _ in range(ROLLS):
                for program in SERVICES:
                    threading.Event().wait(CALM_SECONDS)
                    began = time.monotonic()
                    home.supervisor.restart(program.name)
                    _wait_until_ready(home)
                    took[program.name] += round(time.monotonic() - began, 1)
        finally:
            clients.over.set()
    for one in working:
        one.result()
    print(f"\nanswered {dict(clients.answered)}; tried again {dict(clients.again)}; seconds {dict(took)}")  # noqa: T201
    after = _pids(home)
    assert not [name for name in before if after[name] == before[name]], "every process is another one"
    assert not clients.failures
    assert min(clients.answered.values()) > 3 * ROLLS, clients.answered
    for document, job in clients.uploaded.items():
        assert home.client.jobs.wait(job).status == "ready"
        assert home.client.documents.get("growing", document).status == "ready"
    assert home.client.collections.get("growing").documents == len(clients.uploaded)


def _pids(home: RunningHome) -> dict[str, int]:
    states = home.supervisor.processes()
    return {program.name: states[program.name].pid for program in SERVICES}
