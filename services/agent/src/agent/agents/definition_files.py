"""Agents from YAML files, read at start: one agent a file, each change of a file a new version that is the current one.

A file that has not changed since it was last applied changes nothing, so that a rollback stays one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import structlog
import yaml
from pydantic import Field, ValidationError

from agent.agents import definitions
from agent.errors import DefinitionRefused
from contracts.agents.agents import AgentCreate
from contracts.core.base import Name
from contracts.core.validation import what_is_wrong
from servicekit.sql.database import Database

log = structlog.get_logger(__name__)
MAX_FILE_BYTES = 1_000_000


class AgentFile(AgentCreate):
    """What a file holds: an agent, and whose it is."""

    tenant: Name = Field(default="default")


class AgentFileBroken(Exception):
    """A file that can't be taken; its path and what is wrong with it."""


def read_file(path: Path) -> AgentFile:
    """The agent in a file; raises `AgentFileBroken`. Without a `name` it is called like the file."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise AgentFileBroken(f"{path}: larger than {MAX_FILE_BYTES:,} bytes")
        content = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise AgentFileBroken(f"{path}: {error}") from None
    if not isinstance(content, dict):
        raise AgentFileBroken(f"{path}: must be a mapping with an agent's fields")
    try:
        return AgentFile.model_validate({"name": path.stem, **content})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise AgentFileBroken(f"{path}: {where}: {what_is_wrong(first)}") from None


def read_folder(folder: Path) -> list[AgentFile]:
    """The agents of a folder; raises `AgentFileBroken`."""
    if not folder.is_dir():
        raise AgentFileBroken(f"{folder}: no such folder (AGENT_DEFINITIONS_DIR)")
    return [read_file(path) for path in sorted((*folder.glob("*.yaml"), *folder.glob("*.yml")))]


async def save_agents(
    files: Sequence[AgentFile],
    database: Database,
    now: datetime,
    check: Callable[[str, AgentCreate], None] | None = None,
) -> int:
    """Save these agents; how many versions that made.

    One that `check` refuses (`DefinitionRefused`) is left as it was, and logged: the others, and answers, are served.
    """
    made = 0
    for file in files:
        wanted = AgentCreate.model_validate(file.model_dump(exclude={"tenant"}))
        try:
            if check is not None:
                check(file.tenant, wanted)
        except DefinitionRefused as refused:
            log.error("agent of a file refused", agent=wanted.name, tenant=file.tenant, reason=refused.message)
            continue
        async with database.write() as connection:
            agent, new = await definitions.apply_file(connection, file.tenant, wanted, now)
        made += new
        log.info("agent of a file", agent=agent.name, version=agent.version, new=new)
    return made
