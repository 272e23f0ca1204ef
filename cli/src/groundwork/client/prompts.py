"""Prompts, their versions and labels: `client.prompts`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from contracts.agents.prompts import PRODUCTION, PROMPT, Prompt, PromptSummary, RenderedPrompt
from contracts.operations import prompts as operations
from contracts.operations.models import CREATE_CHAT_COMPLETION
from groundwork.client.connection import Connection
from groundwork.errors import GroundworkError


class Prompts:
    """Save, show, compare, label and delete prompts."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def save(self, name: str, definition: Mapping[str, Any], *, label: str | None = None) -> Prompt:
        """The version with this content, which is made unless it is there; with a `label`, that points at it."""
        body = {"name": name, **definition, **({"label": label} if label else {})}
        return self._connection.model(operations.CREATE_PROMPT, json=body)

    def get(self, name: str, version: int | None = None) -> Prompt:
        """A version, by default the one in production."""
        if version is None:
            return self._connection.model(operations.GET_PROMPT, name)
        return self._connection.model(operations.GET_PROMPT_VERSION, name, str(version))

    def list(self) -> Iterator[PromptSummary]:
        """All prompts by name, without their texts."""
        return self._connection.pages(operations.LIST_PROMPTS)

    def versions(self, name: str) -> Iterator[Prompt]:
        """All versions of a prompt, newest first."""
        return self._connection.pages(operations.LIST_PROMPT_VERSIONS, name)

    def move(self, name: str, label: str, version: int) -> Prompt:
        """Have a label point at a version."""
        return self._connection.model(operations.MOVE_LABEL, name, label, json={"version": version})

    def rollback(self, name: str, label: str = PRODUCTION) -> Prompt:
        """Have a label point at the version before; raises `GroundworkError` if there was none."""
        found = next((each for each in self.get(name).labels if each.label == label), None)
        if found is None or found.previous is None:
            raise GroundworkError(f"The label '{label}' of the prompt '{name}' has pointed at no other version.")
        return self.move(name, label, found.previous)

    def render(self, name: str, variables: Mapping[str, Any] | None = None, **which: Any) -> RenderedPrompt:
        """What a model is asked with these variables; `label` or `version` say by which version."""
        body = {"variables": dict(variables or {}), **which}
        return self._connection.model(operations.RENDER_PROMPT, name, json=body)

    def ask(self, prompt: str, question: str | None = None, variables: Mapping[str, Any] | None = None) -> str:
        """A model's answer to a prompt: `name`, `name@label` or `name@3`."""
        said = [{"role": "user", "content": question}] if question is not None else []
        body = {"model": f"{PROMPT}{prompt}", "messages": said, "groundwork": {"variables": dict(variables or {})}}
        answer = self._connection.model(CREATE_CHAT_COMPLETION, json=body)
        return answer.choices[0].message.content or ""

    def delete(self, name: str) -> None:
        """The prompt and its labels."""
        self._connection.call(operations.DELETE_PROMPT, name)

    def delete_version(self, name: str, version: int) -> None:
        """A version that no label points at."""
        self._connection.call(operations.DELETE_PROMPT_VERSION, name, str(version))

    def delete_label(self, name: str, label: str) -> None:
        """A label; `production` stays."""
        self._connection.call(operations.DELETE_LABEL, name, label)
