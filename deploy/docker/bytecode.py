"""`python -X pycache_prefix=DIR bytecode.py SERVICE`: imports what a service imports, to keep its byte code.

A container can't write byte code, and would compile thousands of files at each start. Only what is imported is kept,
the standard library's modules among it, since compiling all would double the images. Standard library only.
"""

from __future__ import annotations

import importlib
import itertools
import pkgutil
import sys
from collections.abc import Iterator

LAZY = {
    "gateway": ("asyncpg", "sqlalchemy.dialects.postgresql.asyncpg", "uvicorn.protocols.http.httptools_impl"),
    "ingest": ("asyncpg", "sqlalchemy.dialects.postgresql.asyncpg", "celery.worker", "kombu.transport.redis"),
    "retriever": ("asyncpg", "sqlalchemy.dialects.postgresql.asyncpg"),
    "agent": ("asyncpg", "sqlalchemy.dialects.postgresql.asyncpg"),
    "inference": ("asyncpg", "sqlalchemy.dialects.postgresql.asyncpg"),
    "lab": ("asyncpg", "sqlalchemy.dialects.postgresql.asyncpg"),
}
"""Imported by name when a service starts."""

PACKAGES = {"ingest": ("extraction",)}
"""Libraries of ours of which a service needs every module, some by name only."""

OF_EXTRAS = {"ingest": {"boto3", "botocore"}, "lab": {"gguf", "jinja2", "tokenizers", "torch", "transformers"}}
"""Packages of a service's optional parts: a module that imports one is left out where that is not installed."""


def main(service: str) -> int:
    """Exit status 0, or an exception where a module of the service can't be imported."""
    for module in itertools.chain(*map(_modules, (service, *PACKAGES.get(service, ())))):
        if ".migrations" not in module.name and not module.name.endswith("__main__"):
            try:
                importlib.import_module(module.name)
            except ModuleNotFoundError as missing:
                if (missing.name or "").split(".")[0] not in OF_EXTRAS.get(service, ()):
                    raise
    for name in LAZY[service]:
        importlib.import_module(name)
    return 0


def _modules(name: str) -> Iterator[pkgutil.ModuleInfo]:
    return pkgutil.walk_packages(importlib.import_module(name).__path__, f"{name}.")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
