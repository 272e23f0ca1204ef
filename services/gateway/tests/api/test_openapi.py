from __future__ import annotations

import re
from pathlib import Path

from gateway.bootstrap import create_app
from gateway.settings import GatewaySettings


def test_every_parameter_of_a_path_is_described(tmp_path: Path) -> None:
    document = create_app(GatewaySettings(delegation_public_key_file=tmp_path / "d.pub")).openapi()
    for path in document["paths"]:
        for name in re.findall(r"\{(\w+)\}", path):
            for operation in document["paths"][path].values():
                assert name in {parameter["name"] for parameter in operation["parameters"]}
