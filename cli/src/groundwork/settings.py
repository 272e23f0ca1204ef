"""The command line's settings, prefix `GROUNDWORK_`: from the environment, then from `./.env`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class CommandSettings(BaseSettings):
    """Read once when a command starts. The services' own settings are the services' business."""

    model_config = SettingsConfigDict(
        env_prefix="GROUNDWORK_", env_file=".env", extra="ignore", use_attribute_docstrings=True, env_ignore_empty=True
    )

    home: Path = Path(".groundwork")
    """Folder that holds everything of one local installation: data, keys, logs, run state."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    """Port of the gateway that `up` starts; 0 means any free one."""
    base_url: str | None = None
    """Server to talk to. Empty means the one that runs in the home."""
    api_key: SecretStr | None = None
    """Key to talk with. Empty means the home's admin key, for the home's own server only."""
