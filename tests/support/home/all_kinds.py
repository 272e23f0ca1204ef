"""A little of everything that the dashboards show, against a home on scripted models. Each round may be run again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
import yaml
from tests.support.home.stack import ROOT, RunningHome

LEAVE = "Everyone has thirty days of leave a year. Leave is asked for in the staff portal, two weeks before it begins. "
SLOW_ANSWER = " ".join(["one word after the other"] * 4)
SETTINGS = {
    "GATEWAY_CACHE_SECONDS": "600",
    "GATEWAY_CIRCUIT_REQUESTS": "4",
    "GATEWAY_CIRCUIT_OPEN_SECONDS": "60",
    "RETRIEVER_INDEX_POINTS": "20",
    "RETRIEVER_RERANK_MILLISECONDS": "5000",
}


def write_models(file: Path, calling: str) -> Path:
    """This home's models: scripted ones, a slow one, one without a price, one that calls tools, one that is away."""
    models = yaml.safe_load((ROOT / "deploy/config/models.scripted.yaml").read_text())
    slow = {"rules": [{"when": ".", "reply": SLOW_ANSWER}], "pace_seconds": 0.1, "places": 1}
    away = {"base_url": "http://127.0.0.1:9/v1", "upstream_model": "away"}
    models["models"] += [
        {"name": "slow", "kind": "chat", "engine": "scripted", "context_length": 8192, "source": slow},
        {"name": "gift", "kind": "chat", "engine": "scripted", "context_length": 8192},
        {
            "name": "calls",
            "kind": "chat",
            "engine": "openai",
            "context_length": 8192,
            "source": {"base_url": calling, "upstream_model": "calls"},
        },
        {"name": "away", "kind": "chat", "engine": "openai", "context_length": 8192, "source": away},
    ]
    file.write_text(yaml.safe_dump(models))
    return file


@dataclass(frozen=True)
class Load:
    """Calls of every kind; `http` carries the admin key."""

    home: RunningHome
    http: httpx2.Client
    seeds: Iterator[int] = field(default_factory=count)
    """One a call, so that only calls that are meant to be alike are answered from the cache."""

    def round(self, number: int) -> None:
        """Once all of it."""
        name = f"round-{number}"
        self.home.client.collections.ensure(name)
        self._run(number)  # and again at the end: a rate needs an increase between two scrapes
        self._documents(name)
        self._searches(name)
        self._answers(name)
        self._models()
        self._refusals(number)
        self._improvement(number)
        self._run(number)
        self._change(name)

    def _documents(self, name: str) -> None:
        path = f"/v1/collections/{name}/documents"
        jobs = []
        for text in (LEAVE * 240, LEAVE * 240 + "It was thirty-two days until last year. " * 20):
            for _ in ("new", "unchanged while it is worked on or ready"):
                answer = self._post(path, {"text": text, "document_id": "leave"})
                jobs += [answer.json()["job"]["id"]] if "job" in answer.json() else []
            self.home.client.jobs.wait(jobs[-1])
        jobs = [self._post(path, {"text": LEAVE, "document_id": "short"}).json()["job"]["id"]]
        self.home.client.jobs.wait(jobs[-1])
        self._post(path, {"url": "http://127.0.0.1:9/private"})
        self.http.delete(f"{path}/short")

    def _searches(self, name: str) -> None:
        for mode in ("hybrid", "dense", "sparse"):
            for rerank in (True, False):
                body = {"query": "How many days of leave?", "limit": 3, "mode": mode, "rerank": rerank}
                assert self._post(f"/v1/collections/{name}/search", body).status_code == 200

    def _answers(self, name: str) -> None:
        for question in ("How many days of leave are there?", "What is the price of a rocket to Mars?"):
            assert self._chat(f"rag:{name}", question).status_code == 200
        assert self._chat(f"rag:{name}", "How many days of leave?", groundwork={"model": "away"}).status_code == 200
        # Otherwise the gateway, which looks after the collections of cached answers, would say it before the agent can.
        self._chat("rag:no-such-collection", "Anything?", {"Cache-Control": "no-store"})

    def _models(self) -> None:
        for model in ("default", "gift"):
            assert self._chat(model, "Good morning").status_code == 200
            self._chat(model, "Good morning", stream=True)
        for _ in ("miss", "hit"):
            self._chat("default", "Good night", seed=-1)
        self._post("/v1/embeddings", {"model": "default", "input": "far too long " * 400})
        guarded = self._key({"name": "guarded", "guardrails": {"input": {"pii": "redact"}}})
        self._chat("default", "Write to ann@example.com", guarded)
        self._crowd()
        self._leave_early()

    def _crowd(self) -> None:
        """More callers than a slow model's queue holds."""
        with ThreadPoolExecutor(14) as pool:
            list(pool.map(lambda _: self._chat("slow", "Please", max_tokens=2), range(14)))

    def _leave_early(self) -> None:
        body = {"model": "slow", "messages": [{"role": "user", "content": "Please"}], "stream": True}
        with self.http.stream("POST", "/v1/chat/completions", json=body) as answer:
            next(answer.iter_bytes(), None)

    def _refusals(self, number: int) -> None:
        route = {"targets": [{"model": "away"}], "on_error": ["scripted-chat"]}
        assert self.http.put("/v1/routes/steady", json=route).status_code < 300
        for model in ("steady", "away", "steady"):
            self._chat(model, "Good morning")
        limited = self._key({"name": f"one call {number}", "limits": {"requests_per_minute": 1}})
        poor = self._key({"name": f"poor {number}", "budgets": [{"window": "day", "usd": "0.000450"}]})
        long, short = ("well " * 100, 103), ("Good morning to all of you", 9)  # 306 and 24 millionths of a dollar
        # What a call reserved too much is given back a moment after its answer: some of the short ones are refused.
        for headers, calls in ((limited, [short, short]), (poor, [long, *[short] * 8, long])):
            statuses = [self._chat("default", text, headers, max_tokens=most).status_code for text, most in calls]
            assert (statuses[0], statuses[-1]) == (200, 429), statuses

    def _improvement(self, number: int) -> None:
        """An answer on record that is rated, of a route with a shadow."""
        made = self._post("/v1/keys", {"name": f"shadow {number}", "tenant": "default", "scopes": ["chat"]}).json()
        shadow = {"model": "gift", "share": 1, "key_id": made["id"]}
        route = {"targets": [{"model": "scripted-chat"}], "shadow": shadow}
        assert self.http.put("/v1/routes/shadowed", json=route).status_code < 300
        headers = self._key({"name": "recorded", "records": "full"})
        for rating in ("up", "down"):
            answer = self._chat("shadowed", "Good evening", headers).json()
            assert self._post("/v1/feedback", {"answer_id": answer["id"], "rating": rating}).status_code == 201

    def _key(self, spec: dict[str, Any]) -> dict[str, str]:
        """The headers of a new key."""
        secret = self._post("/v1/keys", {**spec, "tenant": "default", "scopes": ["chat"]}).json()["secret"]
        return {"Authorization": f"Bearer {secret}"}

    def _run(self, number: int) -> None:
        agent = {"name": "clerk", "model": "calls", "instructions": f"Be brief, {number}.", "tools": ["calculator"]}
        assert self._post("/v1/agents", agent).status_code < 300
        assert self._chat("agent:clerk", "What is 6 times 7?").status_code == 200

    def _change(self, name: str) -> None:
        body = {"chunking": {"strategy": "sentence", "max_tokens": 100}}
        answer = self._post(f"/v1/collections/{name}/reindex", body)
        self.home.client.jobs.wait(answer.json()["job"]["id"])

    def _chat(self, model: str, text: str, headers: dict[str, str] | None = None, **more: Any) -> httpx2.Response:
        body = {"model": model, "messages": [{"role": "user", "content": text}], "seed": next(self.seeds), **more}
        return self.http.post("/v1/chat/completions", json=body, headers=headers)

    def _post(self, path: str, body: dict[str, Any]) -> httpx2.Response:
        return self.http.post(path, json=body)


def pause(seconds: float) -> None:
    """Between two looks at Prometheus, which sees the home once a second."""
    threading.Event().wait(seconds)
