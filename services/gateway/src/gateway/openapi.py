"""`python -m gateway.openapi > docs/openapi.json` writes the OpenAPI document of the public API."""

from __future__ import annotations

import json
import sys

from gateway.bootstrap import create_app
from gateway.settings import GatewaySettings

if __name__ == "__main__":
    document = create_app(GatewaySettings()).openapi()
    sys.stdout.write(json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True) + "\n")
