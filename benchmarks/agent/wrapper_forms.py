"""How clients send one question: the prompts of frameworks and front ends, and what people add (`wrapper_forms.json`).

`{q}` is the question, `{c}` passages that a client has found elsewhere. Each has its origin: a package and its version
where the words are that package's own, else `people`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal

PASTED = (
    "The ferry between the two islands leaves at 7:40 and takes 55 minutes. Bicycles travel free of charge.\n\n"
    "In 1987 the old lighthouse was turned into a small museum, which opens from May to September."
)
"""Has nothing to do with any question that is asked."""


@dataclass(frozen=True, slots=True)
class Wrapper:
    """One way to send a question."""

    name: str
    origin: str
    template: str

    def around(self, question: str) -> str:
        """The message with a question in it."""
        return self.template.replace("{c}", PASTED).replace("{q}", question)

    @property
    def half(self) -> Literal["develop", "verify"]:
        """The half that it belongs to: rules are made by looking at `develop` alone."""
        return "verify" if sha256(self.name.encode()).digest()[0] % 2 else "develop"


WRAPPERS = tuple(Wrapper(**one) for one in json.loads(Path(__file__).with_suffix(".json").read_text()))
