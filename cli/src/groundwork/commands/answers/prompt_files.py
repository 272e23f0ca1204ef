"""Prompts as people write them: a Markdown file with a header in YAML and a section for each message."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from contracts.agents.prompts import Prompt
from groundwork.commands.answers.definitions import UNREADABLE, sendable, why
from groundwork.errors import GroundworkError

FENCE = "---"
OF_THE_SERVER = ("version", "newest", "labels", "key_id", "withheld", "packaged", "created_at", "updated_at")
"""What a prompt has that is not its content."""
_SECTION = re.compile(r"^## (system|developer|user|assistant)[ \t]*$", re.MULTILINE)
_LIKE_SECTION = re.compile(r"^(\\*## (?:system|developer|user|assistant)[ \t]*)$", re.MULTILINE)
_MARKED = re.compile(r"^\\(\\*## (?:system|developer|user|assistant)[ \t]*)$", re.MULTILINE)
"""A line of a message that looks like a section has a backslash before it."""


class PromptFileInvalid(GroundworkError):
    """The file holds no prompt."""

    def __init__(self, file: Path, why: str) -> None:
        holds = "a header in YAML between two lines of '---', then '## system', '## user' or '## assistant' and a text"
        super().__init__(f"'{file}' holds no prompt: {why}. Write {holds}.")


def write_prompt(prompt: Prompt) -> str:
    """The file of a version."""
    content = prompt.model_dump(mode="json", exclude={"messages", *OF_THE_SERVER}, exclude_defaults=True)
    header = yaml.safe_dump({"name": prompt.name, **content}, sort_keys=False, allow_unicode=True, width=120)
    sections = [f"## {said.role}\n\n{_LIKE_SECTION.sub(_marked, said.content)}\n" for said in prompt.messages]
    return f"{FENCE}\n{header}{FENCE}\n" + "".join(sections)


def read_prompt(file: Path) -> dict[str, Any]:
    """The content in a file, with its `name`, by default the file's own; raises `PromptFileInvalid`."""
    try:
        text = file.read_text(encoding="utf-8").replace("\r\n", "\n")
        header, body = _halves(text)
        content = sendable(yaml.safe_load(header) or {})
    except UNREADABLE as error:
        raise PromptFileInvalid(file, why(error)) from None
    if not isinstance(content, dict):
        raise PromptFileInvalid(file, "its header is no mapping")
    before, *parts = _SECTION.split(body)
    if before.strip() or not parts:
        raise PromptFileInvalid(file, "it has no '## system', '## user' or '## assistant', or text before the first")
    messages = [
        {"role": role, "content": _MARKED.sub(r"\1", said).removeprefix("\n").removeprefix("\n").removesuffix("\n")}
        for role, said in zip(parts[::2], parts[1::2], strict=True)
    ]
    kept = {name: value for name, value in content.items() if name not in OF_THE_SERVER}
    return {"name": file.stem, **kept, "messages": messages}


def _marked(found: re.Match[str]) -> str:
    return "\\" + found.group(1)


def _halves(text: str) -> tuple[str, str]:
    if not text.startswith(f"{FENCE}\n"):
        return "", text
    header, end, body = text.removeprefix(f"{FENCE}\n").partition(f"\n{FENCE}\n")
    if not end:
        raise ValueError("its header does not end with a line of '---'")
    return header, body
