"""Prints the Secrets of a Kubernetes installation, each value random, for `kubectl create -f -`.

    .venv/bin/python deploy/k8s/make_secrets.py --trial-stores | kubectl create -f -
    .venv/bin/python deploy/k8s/make_secrets.py --postgres-url-file FILE --redis-url-file FILE | kubectl create -f -

`create` refuses to write over what is there, so running it twice changes nothing. Values and names are those of compose
(deploy/docker/make_secrets.py); each service gets a Secret of its own with only what it reads, one key a setting.
"""

from __future__ import annotations

import argparse
import json
import runpy
import sys
import tempfile
from pathlib import Path
from typing import Any

from gateway.auth.keys import new_secret
from servicekit.auth.delegation import generate_key_pair

COMPOSE = Path(__file__).resolve().parents[1] / "docker" / "make_secrets.py"
HOLDS = {
    "groundwork-gateway": ("gateway_database_url", "gateway_redis_url"),
    "groundwork-ingest": ("ingest_database_url", "ingest_redis_url"),
    "groundwork-retriever": ("retriever_database_url", "retriever_qdrant_api_key"),
    "groundwork-inference": ("inference_database_url",),
    "groundwork-agent": ("agent_database_url", "agent_redis_url"),
    "groundwork-lab": ("lab_database_url",),
    "groundwork-qdrant": ("qdrant_api_key",),
}
TRIAL = {"groundwork-trial-stores": ("postgres_password", "redis_password", "redis.conf")}


def random_values() -> dict[str, str]:
    """Compose's secrets by name, anew; the URLs lead to the stores of the component `trial-stores`."""
    with tempfile.TemporaryDirectory() as folder:
        runpy.run_path(str(COMPOSE))["main"](Path(folder))
        return {path.name: path.read_text() for path in Path(folder).iterdir()}


def own_stores(values: dict[str, str], postgres_url: str, redis_url: str) -> dict[str, str]:
    """The same with your stores; `{database}` in PostgreSQL's URL stands for the service's own database."""
    urls = {
        name: postgres_url.replace("{database}", name.removesuffix("_database_url"))
        if name.endswith("_database_url")
        else redis_url
        for name in values
        if name.endswith(("_database_url", "_redis_url"))
    }
    return values | urls


def manifest(values: dict[str, str], *, trial_stores: bool) -> dict[str, Any]:
    """A List of Secrets, and the ConfigMap with the public key that every service verifies tokens with."""
    held = HOLDS | (TRIAL if trial_stores else {})
    data = {name: {key: values[key] for key in keys} for name, keys in held.items()}
    private, public = generate_key_pair()
    data["groundwork-gateway"] |= {"delegation.key": private.decode(), "admin.key": new_secret()}
    items: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "Secret", "metadata": _metadata(name), "type": "Opaque", "stringData": content}
        for name, content in data.items()
    ]
    keys = {"metadata": _metadata("groundwork-delegation"), "data": {"delegation.pub": public.decode()}}
    return {"apiVersion": "v1", "kind": "List", "items": [*items, {"apiVersion": "v1", "kind": "ConfigMap", **keys}]}


def main(arguments: list[str] | None = None) -> int:
    """Exit status 2 where the URLs are incomplete or the secrets would be shown on a terminal."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trial-stores", action="store_true", help="passwords for the component trial-stores")
    parser.add_argument(
        "--postgres-url-file", type=Path, help="holds postgresql+asyncpg://user:password@host/{database}"
    )
    parser.add_argument("--redis-url-file", type=Path, help="holds redis://… or rediss://…")
    given = parser.parse_args(arguments)
    if sys.stdout.isatty():
        parser.error("this prints secrets: pipe it into `kubectl create -f -`")
    values = random_values()
    if not given.trial_stores:
        if not (given.postgres_url_file and given.redis_url_file):
            parser.error("give --trial-stores, or both --postgres-url-file and --redis-url-file")
        postgres, redis = (each.read_text().strip() for each in (given.postgres_url_file, given.redis_url_file))
        if not postgres.startswith("postgresql+asyncpg://") or "{database}" not in postgres:
            parser.error("PostgreSQL's URL must be postgresql+asyncpg://user:password@host/{database}")
        if not redis.startswith(("redis://", "rediss://")):
            parser.error("Redis's URL must be redis://… or rediss://…")
        values = own_stores(values, postgres, redis)
    json.dump(manifest(values, trial_stores=given.trial_stores), sys.stdout, indent=1)
    return 0


def _metadata(name: str) -> dict[str, str]:
    return {"name": name, "namespace": "groundwork"}


if __name__ == "__main__":
    raise SystemExit(main())
