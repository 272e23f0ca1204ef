from __future__ import annotations

from typing import Any

from services.inference.tests.engines.wrappers.engines import FakeEngine

from contracts.models.versions import ModelVersion
from inference.catalog.identity import Identity
from inference.catalog.models_file import Model
from inference.serving.served_model import Declaration, ServedModel


async def test_a_model_that_is_loaded_again_from_another_file_is_another_one(declared: Any) -> None:
    process, digest = [1], ["sha256:a"]
    declaration = Declaration(Model.model_validate(declared["chat"]))
    served = ServedModel(declaration, FakeEngine(), identify=lambda: Identity(digest[0]), process=lambda: process[0])
    await served.open()
    assert served.version == ModelVersion("talker"), "nobody has looked at its files"
    await served.identify()
    first = served.version
    assert (first.digest, served.info().digest, served.info().fingerprint) == (
        "sha256:a",
        "sha256:a",
        first.fingerprint,
    )
    process[0], digest[0] = 2, "sha256:b"
    assert served.version == ModelVersion("talker"), "it may have loaded either"
    await served.probe()
    assert served.version.digest == "sha256:b"
    assert served.version.fingerprint not in (None, first.fingerprint)
