from __future__ import annotations

import pytest

from extraction.model.limits import Limits
from extraction.sandbox import version as versions
from extraction.sandbox.extractor import SandboxedExtractor


def test_the_reading_version_tells_limits_and_text_recognition_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    here = SandboxedExtractor(Limits(100, 1000), 10, 2**30)
    others = [
        SandboxedExtractor(Limits(101, 1000), 10, 2**30),
        SandboxedExtractor(Limits(100, 1001), 10, 2**30),
        SandboxedExtractor(Limits(100, 1000), 10, 2**31),
    ]
    found = {each.version for each in [here, *others]}
    assert SandboxedExtractor(Limits(100, 1000), 11, 2**30).version == here.version in found
    version = versions.version
    monkeypatch.setattr(versions, "version", lambda name: "4.0" if name == "rapidocr" else version(name))
    assert len(found | {here.version}) == 5
