"""An MCP server as a program: a till that pays once for one key."""

from __future__ import annotations

import sys
from pathlib import Path

from mcp.server.mcpserver import MCPServer
from mcp.types import BlobResourceContents, CallToolResult, EmbeddedResource, ResourceLink, TextResourceContents

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


@server.resource("till://rules", mime_type="text/plain")
def rules() -> str:
    """How refunds are made."""
    return "Refunds take 30 days."


@server.tool()
def papers() -> CallToolResult:
    """Everything that is on paper."""
    return CallToolResult(
        content=[
            EmbeddedResource(resource=TextResourceContents(uri="till://note", text="Closed on Monday.")),
            EmbeddedResource(resource=BlobResourceContents(uri="till://list", mime_type="text/csv", blob="YSxiCg==")),
            EmbeddedResource(resource=BlobResourceContents(uri="till://logo", mime_type="image/png", blob="iVBORwAA")),
            ResourceLink(uri="till://rules", name="rules", description="Refunds"),
            ResourceLink(uri="till://gone", name="gone"),
            ResourceLink(uri="till://film", name="film", size=2_000_000_000),
        ]
    )


if __name__ == "__main__":
    server.run()
