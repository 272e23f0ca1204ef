"""Which MCP servers there are: as the operator's file says, never a caller, since a server may be a program."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import yaml
from pydantic import Field, SecretStr, StringConstraints, ValidationError, model_validator

from contracts.core.base import Name, Request
from contracts.core.validation import what_is_wrong


class McpServer(Request):
    """One server: a program that speaks over its standard input and output, or a URL (streamable HTTP)."""

    command: Annotated[list[str], Field(min_length=1)] | None = None
    environment: dict[str, SecretStr] = Field(default_factory=dict)
    url: Annotated[str, StringConstraints(pattern=r"^https?://")] | None = None
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    tenants: list[Name] | None = None
    """Whose agents may use it; null means everybody's."""
    safe: list[str] = Field(default_factory=list)
    """Tools that change nothing, so that a call that was cut off is made again; `*` means all."""
    keyed: list[str] = Field(default_factory=list)
    """Tools that do a thing once for one key, which they find in `_meta` (`groundwork/key`) or in `key_argument`."""
    key_argument: str | None = None
    """The argument that the key is put into; the model neither sees nor sets it."""
    seconds: Annotated[float, Field(gt=0, le=600)] = 30.0
    """The longest wait for it to connect."""

    @model_validator(mode="after")
    def _one_way_to_reach_it(self) -> McpServer:
        if (self.command is None) == (self.url is None):
            raise ValueError("give exactly one of command and url")
        return self


class McpFile(Request):
    """The file of AGENT_MCP_FILE."""

    servers: dict[Name, McpServer] = Field(default_factory=dict)


class McpFileBroken(Exception):
    """The file can't be taken."""


def read_servers(path: Path | None) -> dict[str, McpServer]:
    """The servers by their names; raises `McpFileBroken`."""
    if path is None:
        return {}
    try:
        return McpFile.model_validate(yaml.safe_load(path.read_text()) or {}).servers
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise McpFileBroken(f"{path}: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise McpFileBroken(f"{path}: {'.'.join(map(str, first['loc']))}: {what_is_wrong(first)}") from None
