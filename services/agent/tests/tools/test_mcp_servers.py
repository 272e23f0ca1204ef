from __future__ import annotations

from pathlib import Path

import pytest

from agent.tools.mcp_servers import McpFileBroken, read_servers


def test_only_the_operators_file_names_servers(tmp_path: Path) -> None:
    file = tmp_path / "mcp.yaml"
    file.write_text("servers:\n  till: {command: [till], keyed: [pay]}\n")
    assert read_servers(file)["till"].command == ["till"]
    assert read_servers(None) == {}
    for broken in ("servers: {till: {}}", "servers: {till: {command: [a], url: 'http://b'}}", "servers: [", "other: 1"):
        file.write_text(broken)
        with pytest.raises(McpFileBroken):
            read_servers(file)
