"""A home on scripted models that exports its traces, for tests that need no real model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from tests.support.agent.calling_model import calling_model
from tests.support.home.all_kinds import write_models
from tests.support.home.collector import Collector, collecting
from tests.support.home.stack import RunningHome, running_home

PARENT = "00f067aa0ba902b7"
"""The caller's own span."""


@dataclass(frozen=True)
class Traced:
    """A home that exports its traces."""

    home: RunningHome
    http: httpx2.Client
    collector: Collector
    heard: list[dict[str, str]]
    """The headers that the model server behind inference has had."""

    def post(self, path: str, body: dict[str, Any], trace_id: str) -> httpx2.Response:
        return self.http.post(path, json=body, headers={"traceparent": f"00-{trace_id}-{PARENT}-01"})

    def ask(self, body: dict[str, Any], trace_id: str) -> dict[str, Any]:
        answer = self.post("/v1/chat/completions", body, trace_id)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


@pytest.fixture(scope="package")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    folder = tmp_path_factory.mktemp("tracing")
    heard: list[dict[str, str]] = []
    with collecting() as collector, calling_model(heard) as calling:
        settings = {
            "GROUNDWORK_OTLP_ENDPOINT": collector.url,
            "GROUNDWORK_OTLP_HEADERS": "x-token=of-the-collector",
            "INFERENCE_MODELS_FILE": str(write_models(folder / "models.yaml", calling)),
            "RETRIEVER_RERANK_MILLISECONDS": "5000",
        }
        with running_home(folder / "home", settings) as home:
            headers = {"Authorization": f"Bearer {home.admin_key}"}
            with httpx2.Client(base_url=home.base_url, headers=headers, timeout=60) as http:
                yield Traced(home, http, collector, heard)
