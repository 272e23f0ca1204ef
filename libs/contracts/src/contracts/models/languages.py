"""Languages that a model reads."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import StringConstraints

Languages = Literal["all"] | tuple[Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")], ...]
"""`all`, or codes of ISO 639-1."""
