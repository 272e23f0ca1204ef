"""The prompts that ship: a file each version."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from string import Template


@dataclass(frozen=True, slots=True)
class Prompt:
    """Two templates and the version that the receipt names."""

    version: str
    system: Template
    user: Template
    file: str
    """The file that it is, or stands in place of."""

    @property
    def length(self) -> int:
        """Characters of both, before anything is filled in."""
        return len(self.system.template) + len(self.user.template)

    @property
    def longer(self) -> int:
        """Characters that its system text has more than the file's, which the shares of models' contexts are for."""
        return max(0, len(self.system.template) - len(load_prompt(self.file).system.template))


@lru_cache(maxsize=8)
def load_prompt(version: str) -> Prompt:
    """The prompt of that version."""
    text = files("agent").joinpath("prompts", f"{version}.md").read_text(encoding="utf-8")
    system, user = text.split("## user", 1)
    return Prompt(version, Template(system.replace("## system", "", 1).strip()), Template(user.strip()), version)
