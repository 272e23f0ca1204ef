from __future__ import annotations

import pytest
from pydantic import ValidationError

from inference.settings import InferenceSettings, secret_named


def test_a_secret_is_read_from_the_variable_that_a_model_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", "s3cret")
    monkeypatch.setenv("EMPTY_KEY", "")
    secret = secret_named("SOME_KEY")
    assert secret is not None
    assert secret.get_secret_value() == "s3cret"
    assert "s3cret" not in repr(secret)
    assert secret_named("EMPTY_KEY") is secret_named("NO_SUCH_KEY") is None


def test_nothing_is_downloaded_unless_it_is_allowed_and_bounds_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not InferenceSettings().allow_downloads
    monkeypatch.setenv("INFERENCE_THREADS", "0")
    with pytest.raises(ValidationError):
        InferenceSettings()
