from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.inference.tests.engines.wrappers.engines import FakeEngine

from contracts.models.versions import ModelVersion
from inference.catalog.identity import Identity
from inference.catalog.llama_options import LlamaOptions
from inference.catalog.models_file import Model
from inference.serving.served_model import Declaration, ServedModel


@dataclass
class Process:
    """A `Child`."""

    loaded: object = 1
    is_asleep: bool = False
    weights: Path | None = None


async def test_a_model_that_is_loaded_again_from_another_file_is_another_one(declared: Any) -> None:
    child, digest = Process(), ["sha256:a"]
    declaration = Declaration(Model.model_validate(declared["chat"]))
    served = ServedModel(declaration, FakeEngine("."), identify=lambda: Identity(digest[0]), child=child)
    await served.open()
    assert served.version == ModelVersion("talker"), "nobody has looked at its files"
    await served.identify()
    first = served.version
    assert (first.digest, served.info().digest, served.info().fingerprint) == (
        "sha256:a",
        "sha256:a",
        first.fingerprint,
    )
    child.loaded, digest[0] = 2, "sha256:b"
    assert served.version == ModelVersion("talker"), "it may have loaded either"
    await served.probe()
    assert served.version.digest == "sha256:b"
    assert served.version.fingerprint not in (None, first.fingerprint)


async def test_a_model_that_sleeps_is_ready_and_known_and_says_so(declared: Any) -> None:
    child = Process()
    declaration = Declaration(Model.model_validate(declared["chat"]))
    served = ServedModel(declaration, FakeEngine("."), identify=lambda: Identity("sha256:a"), child=child)
    await served.open()
    await served.identify()
    assert not served.info().asleep
    child.is_asleep = True
    await served.probe()
    info = served.info()
    assert (info.state, info.reason, info.asleep, info.digest) == ("ready", None, True, "sha256:a")


def test_when_a_model_sleeps_makes_its_answers_no_others(declared: Any) -> None:
    awake = Model.model_validate(declared["chat"])
    sleeping = awake.model_copy(update={"llamacpp": LlamaOptions(idle_seconds=300)})
    assert Declaration(awake).fingerprint(Identity()) == Declaration(sleeping).fingerprint(Identity())
    assert not Declaration(awake).is_served_alike(Declaration(sleeping))
