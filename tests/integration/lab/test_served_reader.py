"""What is learnt beside the layers of a reading model's encoder, as the trainer has it and as it is served."""

from __future__ import annotations

import base64
import json
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from services.lab.tests.training.encoders.test_reading import write_job
from tests.integration.inference.test_reading import FORMS, SIZE, TOKENS, declared, own
from tests.integration.lab.test_served_encoder import learn_in_a_process
from tests.support.inference.reading_conformance import PASSAGES, QUESTION
from tests.support.inference.running import CHAT, EMBEDDING, settings_for

from inference.bootstrap import open_dependencies
from inference.dependencies import Dependencies
from inference.errors import ModelNotReady
from inference.protocol.engines import ReadingEngine
from inference.tuned.errors import EncoderNotTunable
from lab.training.encoders.model import add_matrices, load_encoder, write_matrices
from lab.training.encoders.reading import run
from lab.training.frozen.correction import chances_of
from lab.tuning.gates.parity import LEAST
from lab.tuning.methods.reading import ODDS_TOLERANCE, odds_of, share_alike

LONG = f"{PASSAGES[1]} " * 20
TEXTS = [*PASSAGES, LONG]


@asynccontextmanager
async def opened(tmp_path: Path, folder: Path, *more: dict[str, Any], **settings: Any) -> AsyncIterator[Dependencies]:
    models = [declared(folder), EMBEDDING, CHAT, *more]
    async with open_dependencies(settings_for(tmp_path, models, **{"precision": "float32", **settings})) as found:
        await found.models.loaded()
        await found.models.reading("reader").identify()
        yield found


async def exported(tmp_path: Path, folder: Path) -> tuple[Path, str]:
    """The encoder's file as the lab has it from inference, with its tokenizer beside it; and the reader's digest."""
    async with opened(tmp_path, folder) as found:
        served = found.models.reading("reader")
        file = (await found.encoders.of(served)).path  # type: ignore[arg-type]  # any engine will do
        (tmp_path / "tokenizer.json").write_bytes(served.tokenizer()[0])
        assert served.version.digest is not None
        return file, served.version.digest


def learnt(file: Path, tmp_path: Path, seed: int, deviation: float = 0.2) -> dict[str, Any]:
    """As a job leaves it."""
    encoder = load_encoder(file, tmp_path / "tokenizer.json")
    matrices = add_matrices(encoder, 2, seed)
    torch.manual_seed(seed)
    for one in matrices.values():
        torch.nn.init.normal_(one.b, std=deviation)
    weights = np.random.default_rng(seed).normal(size=2 * SIZE).astype("<f4") / 20
    lora = {"rank": 2, "matrices": write_matrices(matrices)}
    encoded = base64.b64encode(weights.tobytes()).decode()
    return {"weights": encoded, "scale": 0.5, "offset": -0.2, "lora": lora}


def trainers(file: Path, tmp_path: Path, artifact: dict[str, Any]) -> dict[str, list[float]]:
    """Log odds before and after."""
    said = [{"question": QUESTION, "texts": TEXTS}]
    run(tmp_path, {"weights": str(file), "threads": 1, "said": said, "artifact": artifact}, lambda *_, **__: None)
    return {which: one[0] for which, one in json.loads((tmp_path / "parity.json").read_text()).items()}


def tuned(name: str, digest: str, artifact: dict[str, Any], kind: str = "reading") -> dict[str, Any]:
    correction = {"reading_model": "reader", "reading_digest": digest, **artifact}
    source = {"correction": correction}
    return {"name": name, "kind": kind, "engine": "correction", "source": source, "max_input_tokens": TOKENS}


async def chances(engine: ReadingEngine) -> list[float]:
    return [one.answers or 0.0 for one in (await engine.read(QUESTION, TEXTS)).readings]


async def test_served_chances_are_the_trainer_s_and_where_answers_stand_is_the_reader_s_still(tmp_path: Path) -> None:
    folder = own(tmp_path / "model", temperatures={"answers": 2.0})
    file, digest = await exported(tmp_path, folder)
    artifact = learnt(file, tmp_path, 7)
    odds = trainers(file, tmp_path, artifact)
    wanted = {which: chances_of(np.array(one)).tolist() for which, one in odds.items()}
    models = [tuned("reader+a", digest, artifact), tuned("reader+b", digest, artifact, "rerank")]
    async with opened(tmp_path, folder, *models) as found:
        base, reads = found.models.reading("reader").ready(), found.models.reading("reader+a").ready()
        assert await chances(base) == pytest.approx(wanted["base"], abs=1e-4)
        assert await chances(reads) == pytest.approx(wanted["tuned"], abs=1e-4)
        assert max(abs(one - other) for one, other in zip(wanted["base"], wanted["tuned"], strict=True)) > 0.05
        ranked = await found.models.rerank("reader+b").ready().rank(QUESTION, TEXTS)
        assert ranked.scores == pytest.approx(wanted["tuned"], abs=1e-4)
        own_result, result = await base.read(QUESTION, TEXTS), await reads.read(QUESTION, TEXTS)
        spans = [[(one.span, one.relevance) for one in each.readings] for each in (own_result, result)]
        assert spans[0] == spans[1]
        assert result.tokens == 2 * own_result.tokens, "by both encoders"
        pair = [(PASSAGES[1], QUESTION)]
        assert (await reads.entail(pair)).readings == (await base.entail(pair)).readings


def candidate(artifact: dict[str, Any], digest: str, lacking: str | None = None) -> dict[str, Any]:
    """As a job declares it to look at it; without the matrices of a layer."""
    matrices = {name: one for name, one in artifact["lora"]["matrices"].items() if name != lacking}
    given = {**artifact, "lora": {"rank": 2, "matrices": matrices}}
    about = {"parent": "reader", "job": "ftjob_1", "digest": digest, "method": "reading", "training_set": "set:q"}
    name = f"reader+{'whole' if lacking is None else lacking.replace('.', '-')}"
    return tuned(name, digest, given) | {"tuned": {**about, "stage": "candidate"}}


@pytest.mark.parametrize("seed", range(3))
async def test_a_candidate_that_lacks_a_matrix_which_hardly_moves_a_chance_is_told_from_one_that_has_all(
    tmp_path: Path, seed: int
) -> None:
    """Where models are served in bfloat16, which moves more than these matrices do."""
    folder = own(tmp_path / "model")
    file, digest = await exported(tmp_path, folder)
    artifact = learnt(file, tmp_path, seed, deviation=0.01)
    wanted = trainers(file, tmp_path, artifact)["tuned"]
    lacking = [candidate(artifact, digest, name) for name in artifact["lora"]["matrices"]]
    published = tuned("reader+published", digest, artifact)
    models = [candidate(artifact, digest), published, *lacking]
    async with opened(tmp_path, folder, *models, precision="bfloat16") as found:
        said = {one["name"]: await chances(found.models.reading(one["name"]).ready()) for one in models}
    whole = said.pop("reader+whole")
    off = max(abs(one - other) for one, other in zip(odds_of(whole), wanted, strict=True))
    print(f"trainer and served in float32: {off:.1e} of a log of odds")  # noqa: T201  # what the tolerance comes from
    assert off < ODDS_TOLERANCE / 10
    assert all(off < 0.02 for each in said.values() for off in np.abs(np.array(each) - whole)), "no chance tells"
    shares = {name: share_alike(wanted, odds_of(each), ODDS_TOLERANCE) for name, each in said.items()}
    assert max(shares.values()) < LEAST, shares


async def test_few_are_loaded_at_once_and_one_that_was_let_go_says_the_same_again(tmp_path: Path) -> None:
    folder = own(tmp_path / "model")
    file, digest = await exported(tmp_path, folder)
    artifacts = {name: learnt(file, tmp_path, seed) for seed, name in enumerate(("first", "second"))}
    models = [tuned(name, digest, one) for name, one in artifacts.items()]
    async with opened(tmp_path, folder, *models, lora_encoders_at_once=1) as found:
        given: dict[str, list[float]] = {}
        encoders, counts = [], []
        for name in ("first", "second", "first"):
            said = await chances(found.models.reading(name).ready())
            assert said == given.setdefault(name, said)
            inner: Any = found.models.reading(name).ready()._inner  # type: ignore[attr-defined]
            encoders.append(weakref.ref(inner._inner.model.module))
            counts.append(sum(each() is not None for each in encoders))
            await found.models.reading(name).probe()
        assert counts == [1, 1, 1], "memory is freed, not only forgotten"
        assert given["first"] != given["second"]


async def test_matrices_of_another_encoder_say_so_and_the_reader_goes_on(tmp_path: Path) -> None:
    folder = own(tmp_path / "model")
    file, digest = await exported(tmp_path, folder)
    artifact = learnt(file, tmp_path, 7)
    one = next(iter(artifact["lora"]["matrices"].values()))
    artifact["lora"] = {"rank": 2, "matrices": {"encoder.layer.9.x": one}}
    async with opened(tmp_path, folder, tuned("odd", digest, artifact)) as found:
        with pytest.raises(ModelNotReady, match="does not fit the layer"):
            await chances(found.models.reading("odd").ready())
        assert len(await chances(found.models.reading("reader").ready())) == len(TEXTS)


async def test_a_reading_model_of_another_form_gives_no_encoder(tmp_path: Path) -> None:
    async with opened(tmp_path, FORMS["question answering"](tmp_path / "model")) as found:
        with pytest.raises(EncoderNotTunable, match="The reading model 'reader' can't be tuned by 'lora'"):
            await found.encoders.of(found.models.reading("reader"))  # type: ignore[arg-type]


def test_a_process_that_is_killed_goes_on_to_the_same_loss_and_counts_once(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        (folder / "job.json").write_text(json.dumps(write_job(folder, n_epochs=20)))
    learn_in_a_process(whole)
    first = learn_in_a_process(killed, killed_after=12)
    again = learn_in_a_process(killed)
    assert not [one for one in first if one["event"] == "step" and one["step"] == 60], "it was killed in the middle"
    assert next(one["step"] for one in again if one["event"] == "step") > 9
    one, other = (json.loads((folder / "result.json").read_text()) for folder in (whole, killed))
    for name in ("lora", "weights", "scale", "offset", "before", "after", "tokens"):
        assert one[name] == other[name], name
    assert one["figures"]["train_loss"] == other["figures"]["train_loss"]
