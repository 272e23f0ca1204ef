from __future__ import annotations

from contracts.models.versions import ModelVersion


def test_headers_say_what_is_known_and_are_read_back() -> None:
    whole = ModelVersion("small", "sha256:ab", "12cd", "house-style")
    assert ModelVersion.of(whole.headers()) == whole
    assert ModelVersion("small").headers() == {"X-Groundwork-Model": "small"}
    assert ModelVersion.of({"content-type": "application/json"}) == ModelVersion()
