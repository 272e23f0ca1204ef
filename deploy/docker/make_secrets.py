"""Makes the secrets of a compose installation at its first start: one random value a secret, kept in a volume.

Each file in the folder is named for the setting that reads it (`gateway_redis_url`, …) or for the server that does.
Running it again changes nothing. Standard library only.
"""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

SQL_SERVICES = ("gateway", "ingest", "retriever", "inference", "agent", "lab")
"""Inference and the lab have theirs on Kubernetes, where they have replicas; in compose each keeps a file."""
REDIS_SERVICES = ("gateway", "ingest", "agent")
SERVERS = ("postgres_password", "redis_password", "qdrant_api_key", "grafana_password")
REDIS_CONFIG = (
    'bind * -::*\nprotected-mode yes\nrequirepass {password}\nsave ""\nappendonly no\nmaxmemory-policy noeviction\n'
)


def main(folder: Path) -> int:
    """Write what is missing in `folder`."""
    random = {name: _keep(folder / name, secrets.token_urlsafe(32)) for name in SERVERS}
    for service in SQL_SERVICES:
        url = f"postgresql+asyncpg://groundwork:{random['postgres_password']}@postgres:5432/{service}"
        _keep(folder / f"{service}_database_url", url)
    for service in REDIS_SERVICES:
        _keep(folder / f"{service}_redis_url", f"redis://:{random['redis_password']}@redis:6379/0")
    _keep(folder / "retriever_qdrant_api_key", random["qdrant_api_key"])
    _keep(folder / "redis.conf", REDIS_CONFIG.format(password=random["redis_password"]))
    return 0


def _keep(path: Path, value: str) -> str:
    """The file's value; written first if it is not there. Readable by its owner and group only."""
    if not path.exists():
        temporary = path.with_suffix(".new")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o440)
        with os.fdopen(descriptor, "w") as file:
            file.write(value)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    return path.read_text()


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
