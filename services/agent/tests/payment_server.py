"""An MCP server as a program: a till that pays once for one key."""

from __future__ import annotations

import sys
from pathlib import Path

from mcp.server.mcpserver import MCPServer

server = MCPServer("till")
book = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("paid")


def _paid() -> dict[str, int]:
    lines = book.read_text().splitlines() if book.exists() else []
    return {key: int(amount) for key, amount in (line.split("\t") for line in lines)}


@server.tool()
def pay(amount: int, key: str) -> str:
    """Pays."""
    if key not in _paid():
        with book.open("a") as file:
            file.write(f"{key}\t{amount}\n")
    return f"paid {amount} by {key}"


@server.tool()
def balance() -> str:
    """What was paid."""
    return str(sum(_paid().values()))


@server.tool()
def refund() -> str:
    """Gives nothing back."""
    raise ValueError("no refunds")


if __name__ == "__main__":
    server.run()
