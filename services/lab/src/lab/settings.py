"""The lab's settings."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from servicekit.core.settings import ServiceSettings, SqlSettings


class LabSettings(ServiceSettings, SqlSettings):
    """Read once at start from the environment (`LAB_…`)."""

    model_config = SettingsConfigDict(env_prefix="LAB_", extra="ignore", use_attribute_docstrings=True)

    port: int = 8105
    """Port to listen on."""
    question_sets_per_tenant: Annotated[int, Field(ge=1)] = 500
    """Most question sets of one tenant."""
    questions_per_tenant: Annotated[int, Field(ge=1)] = 500_000
    """Most questions that are stored of one tenant. One that several versions of a set have counts once."""
