"""The environment of every process that `up` starts: the one place that wires the services to each other."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import yaml

from groundwork.client.model_sources import KEYS
from groundwork.stack.configuration.overrides import Overrides, Setting
from groundwork.stack.home.folder import Home

RUN_MARK = "GROUNDWORK_RUN"
SHUTDOWN_SECONDS = 10
MODELS_FOLDER = Path(sys.prefix) / "models"
"""Where set-up puts the converted chat model."""
MODELS_FILE = Path("deploy/config/models.yaml")
CHECKOUT = Path(__file__).resolve().parents[5]
"""The source tree that this is installed from, where it is installed editable."""
PORT_SETTINGS = {
    "model_plane": "GATEWAY_MODEL_PLANE_PORT",
    "metrics": "GATEWAY_METRICS_PORT",
    "ingest": "INGEST_PORT",
    "worker": "INGEST_WORKER_PORT",
    "retriever": "RETRIEVER_PORT",
    "inference": "INFERENCE_PORT",
    "agent": "AGENT_PORT",
    "lab": "LAB_PORT",
}
"""Ports that the user may fix. The gateway's own is GROUNDWORK_PORT."""
FOR_ALL = ("OTLP_ENDPOINT", "OTLP_HEADERS", "TRACE_RATIO")
"""Settings that every service has, and that are mostly the same for all: GROUNDWORK_OTLP_ENDPOINT and so on."""


@dataclass(frozen=True)
class Wiring:
    """What the environments are made from."""

    home: Home
    ports: dict[str, int]
    redis_url: str
    run_id: str

    def url(self, name: str) -> str:
        """Where a service listens."""
        return f"http://127.0.0.1:{self.ports[name]}"


def own_redis_url(home: Home, port: int) -> str:
    """The home's Valkey, with the home's password."""
    return f"redis://:{quote(home.secret('redis.password'), safe='')}@127.0.0.1:{port}/0"


def service_settings(service: str, wiring: Wiring, overrides: Overrides) -> dict[str, Setting]:
    """Every variable of one service: what `up` chooses, with the user's own settings over it.

    The address and port of the gateway are `up`'s alone, since it must find what it started.
    """
    prefix = f"{service.upper()}_"
    chosen = {prefix + name: Setting(text, "groundwork") for name, text in _chosen(service, wiring).items()}
    for name in FOR_ALL:
        if f"GROUNDWORK_{name}" in overrides.settings:
            chosen[prefix + name] = overrides.settings[f"GROUNDWORK_{name}"]
    theirs = overrides.of(prefix)
    if service == "gateway":
        theirs.pop("GATEWAY_PORT", None)
    return {**chosen, **theirs}


def process_environment(program: str, wiring: Wiring, overrides: Overrides) -> dict[str, str]:
    """The whole environment of one process; it inherits nothing else. Keys of models are for inference alone."""
    service = "ingest" if program == "worker" else program
    own = {name: setting.text for name, setting in service_settings(service, wiring, overrides).items()}
    keys = _keys_of_models(own) if program == "inference" else ()
    return {**_lean(program), **overrides.passed(program, keys), **own, RUN_MARK: wiring.run_id}


def preload_environment(overrides: Overrides, run_id: str) -> dict[str, str]:
    """The environment of the process that imports the services and forks them: what is read when a library is loaded.

    A library of one thread, whatever the user says: threads don't outlive a fork.
    """
    single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {**_lean("agent"), **overrides.passed("agent"), **single, RUN_MARK: run_id}


def _keys_of_models(own: Mapping[str, str]) -> set[str]:
    """Those of the models file, and those that models may name that are added later."""
    added = own.get("INFERENCE_ADDED_KEYS")
    named = KEYS if added is None else [word.partition("=")[0].strip() for word in added.split(",")]
    return key_names(own.get("INFERENCE_MODELS_FILE", "")) | {name for name in named if name}


def key_names(models_file: str) -> set[str]:
    """The variables that a models file names as keys (`api_key_env`). One that can't be read is inference's to tell."""
    try:
        content = yaml.safe_load(Path(models_file).read_text()) if models_file else None
    except (OSError, ValueError, yaml.YAMLError):
        return set()
    return set(_keys_in(content))


def _keys_in(value: object) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _keys_in(item)
    elif isinstance(value, dict):
        if isinstance(name := value.get("api_key_env"), str):
            yield name
        for item in value.values():
            yield from _keys_in(item)


def _lean(program: str) -> dict[str, str]:
    """Little memory and no surprises, unless the user's environment says otherwise."""
    cores = str(os.cpu_count() or 1)
    threads = cores if program == "inference" else "1"
    strict = {"LANGGRAPH_STRICT_MSGPACK": "true"} if program == "agent" else {}
    return {
        **strict,
        "MALLOC_ARENA_MAX": "2",
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONUNBUFFERED": "1",
        "PYTHONNOUSERSITE": "1",
    }


def _chosen(service: str, wiring: Wiring) -> dict[str, str]:
    home = wiring.home
    common = {
        "HOST": "127.0.0.1",
        "PORT": str(wiring.ports[service]),
        "DATA_DIR": str(home.data(service)),
        "LOG_FORMAT": "json",
        "SHUTDOWN_SECONDS": str(SHUTDOWN_SECONDS),
        "DELEGATION_PUBLIC_KEY_FILE": str(home.keys / "delegation.pub"),
    }
    return {**common, **_OWN[service](wiring)}


def _gateway(wiring: Wiring) -> dict[str, str]:
    return {
        "REDIS_URL": wiring.redis_url,
        "MODEL_PLANE_PORT": str(wiring.ports["model_plane"]),
        "METRICS_PORT": str(wiring.ports["metrics"]),
        "INGEST_URL": wiring.url("ingest"),
        "RETRIEVER_URL": wiring.url("retriever"),
        "INFERENCE_URL": wiring.url("inference"),
        "AGENT_URL": wiring.url("agent"),
        "LAB_URL": wiring.url("lab"),
        "DELEGATION_PRIVATE_KEY_FILE": str(wiring.home.keys / "delegation.key"),
        "ADMIN_KEY_FILE": str(wiring.home.admin_key_file),
    }


def _ingest(wiring: Wiring) -> dict[str, str]:
    return {
        "REDIS_URL": wiring.redis_url,
        "WORKER_PORT": str(wiring.ports["worker"]),
        "RETRIEVER_URL": wiring.url("retriever"),
        "INFERENCE_URL": wiring.url("inference"),
        "GATEWAY_URL": wiring.url("model_plane"),
    }


def _retriever(wiring: Wiring) -> dict[str, str]:
    return {"INFERENCE_URL": wiring.url("inference"), "GATEWAY_URL": wiring.url("model_plane")}


def _inference(wiring: Wiring) -> dict[str, str]:
    chosen: dict[str, str] = {}
    if MODELS_FOLDER.is_dir():
        chosen["MODELS_DIR"] = str(MODELS_FOLDER)
    for folder, name in ((wiring.home.root, Path("models.yaml")), (Path.cwd(), MODELS_FILE), (CHECKOUT, MODELS_FILE)):
        file = folder / name
        if file.is_file():
            return {**chosen, "MODELS_FILE": str(file)}
    return chosen


def _agent(wiring: Wiring) -> dict[str, str]:
    chosen = {
        "REDIS_URL": wiring.redis_url,
        "RETRIEVER_URL": wiring.url("retriever"),
        "GATEWAY_URL": wiring.url("model_plane"),
    }
    agents = wiring.home.root / "agents"
    return {**chosen, "DEFINITIONS_DIR": str(agents)} if agents.is_dir() else chosen


_OWN: dict[str, Callable[[Wiring], dict[str, str]]] = {
    "gateway": _gateway,
    "ingest": _ingest,
    "retriever": _retriever,
    "inference": _inference,
    "agent": _agent,
    "lab": lambda wiring: {"GATEWAY_URL": wiring.url("model_plane"), "INFERENCE_URL": wiring.url("inference")},
}
