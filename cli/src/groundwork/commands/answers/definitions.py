"""Agents as people write them, in files and at prompts, as what can be sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from groundwork.errors import GroundworkError

UNREADABLE = (OSError, yaml.YAMLError, ValueError, TypeError, RecursionError, LookupError, AttributeError)
"""What reading YAML raises. The last two: PyYAML meets a value that does not fit its tag, such as `!!bool x`."""


class AgentFileInvalid(GroundworkError):
    """The file holds no agent."""

    def __init__(self, file: Path, why: str) -> None:
        holds = "a mapping in YAML or JSON with model, instructions, tools, limits, approval"
        super().__init__(f"'{file}' holds no agent: {why}. Write {holds}.")


def read_definition(file: Path) -> dict[str, Any]:
    """The mapping in a file of YAML or JSON, as JSON can say it; raises `AgentFileInvalid`."""
    try:
        content = sendable(yaml.safe_load(file.read_text(encoding="utf-8")))
    except UNREADABLE as error:
        raise AgentFileInvalid(file, why(error)) from None
    if not isinstance(content, dict):
        raise AgentFileInvalid(file, "it is no mapping")
    return content


def sendable(value: Any) -> Any:
    """The value as JSON holds it, dates as texts; raises `ValueError`, `TypeError` or `RecursionError`."""
    return json.loads(json.dumps(value, default=str, ensure_ascii=False, allow_nan=False).encode())


def why(error: BaseException) -> str:
    """What was wrong with a file, in words."""
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8 text"
    if isinstance(error, UnicodeEncodeError):
        return "it has half a character, which is no text"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, LookupError | AttributeError):
        return "it has a value that does not fit its tag"
    return str(error).partition("; use sys.")[0].replace("\n", " ")
