"""Docker's health check: asks this container's own service whether it is ready. Standard library only."""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request

DEFAULT_PORTS = {"gateway": 8080, "ingest": 8101, "retriever": 8102, "inference": 8103, "agent": 8104, "worker": 8105}


def main() -> int:
    """Exit status 0 when ready."""
    service = os.environ.get("GROUNDWORK_HEALTH", os.environ["GROUNDWORK_SERVICE"])
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{DEFAULT_PORTS[service]}/readyz", timeout=4) as answer:
            return 0 if answer.status == 200 else 1
    except (urllib.error.URLError, TimeoutError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
