from __future__ import annotations

from pathlib import Path

import pytest
from pydantic_settings import SettingsConfigDict

from servicekit.core import settings
from servicekit.core.settings import RedisSettings, ServiceSettings, SqlSettings


class SampleSettings(ServiceSettings, SqlSettings, RedisSettings):
    model_config = SettingsConfigDict(env_prefix="SAMPLE_")


def test_a_secret_comes_from_its_file_unless_the_environment_names_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sample_redis_url").write_text("redis://:from-file@redis:6379/0")
    monkeypatch.setattr(settings, "SECRETS_DIR", tmp_path)
    assert SampleSettings().redis_url.get_secret_value() == "redis://:from-file@redis:6379/0"
    monkeypatch.setenv("SAMPLE_REDIS_URL", "redis://elsewhere")
    assert SampleSettings().redis_url.get_secret_value() == "redis://elsewhere"


def test_secrets_do_not_show_when_settings_are_printed() -> None:
    assert "hunter2" not in repr(SampleSettings(redis_url="redis://:hunter2@redis"))
