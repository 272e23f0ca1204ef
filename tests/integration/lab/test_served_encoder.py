"""What is learnt beside the layers of an encoder, as the trainer has it and as it is served."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from services.inference.tests.engines.wrappers.engines import FakeEngine
from services.lab.tests.training.encoders.test_embedding import write_job
from tests.integration.inference.test_sentence_folders import LIMIT, USUAL, folder_with

from inference.catalog.identity import Identity
from inference.catalog.learnt.lora import Lora
from inference.catalog.models_file import Model
from inference.engines.sentence_transformers.models import SentenceEncoder, plain_tokenizer
from inference.engines.wrappers.on_demand import OnDemandEmbedding
from inference.errors import CannotLoad
from inference.protocol.engines import EmbeddingEngine, EmbeddingResult
from inference.protocol.prefixes import NO_PREFIXES, Prefixes
from inference.serving.served_model import Declaration, ServedModel
from inference.tuned.encoder_files import ABOUT, MOST_KEPT, EncoderFiles
from inference.tuned.errors import EncoderNotTunable
from lab.training.encoders.model import Encoder, add_matrices, load_encoder, put_matrices, write_matrices

DIGEST = f"sha256:{'a' * 64}"
TEXTS = ["How long is the notice period?", "Four weeks, 漢字 and 12,345.67.", "word " * 90]


def served(folder: Path, digest: str = DIGEST) -> ServedModel[EmbeddingEngine]:
    declared = {
        "name": "small",
        "kind": "embedding",
        "engine": "sentence-transformers",
        "source": {"path": str(folder)},
        "dimensions": 32,
        "max_input_tokens": LIMIT,
    }
    return ServedModel(
        Declaration(Model.model_validate(declared)),
        FakeEngine("."),  # type: ignore[arg-type]
        identify=lambda: Identity(digest),
    )


async def trainers(tmp_path: Path, folder: Path) -> Encoder:
    """The encoder as the lab has it from inference."""
    model = served(folder)
    await model.open()
    found = await EncoderFiles(tmp_path / "encoders", lambda _: folder).of(model)
    (tmp_path / "tokenizer.json").write_bytes(plain_tokenizer(folder))
    return load_encoder(found.path, tmp_path / "tokenizer.json")


def encoder(folder: Path, lora: Lora | None = None) -> SentenceEncoder:
    made = SentenceEncoder(lambda: folder, dimensions=32, max_input_tokens=LIMIT, precision="float32", lora=lora)
    made.open()
    return made


def vectors(trained: Encoder) -> np.ndarray:
    with torch.no_grad():
        return np.concatenate([trained.vectors([trained.ids(text)]).numpy() for text in TEXTS])


@pytest.mark.parametrize("pooling", USUAL[:2], ids=["mean", "cls"])
async def test_served_questions_have_the_trainer_s_vectors(tmp_path: Path, pooling: dict[str, object]) -> None:
    folder = folder_with(tmp_path / "model", pooling)
    trained = await trainers(tmp_path, folder)
    np.testing.assert_allclose(vectors(trained), encoder(folder).encode(TEXTS), atol=1e-5)
    learnt = add_matrices(trained, 4, 7)
    torch.manual_seed(1)
    for one in learnt.values():
        torch.nn.init.normal_(one.b, std=0.2)
    matrices = write_matrices(learnt)
    again = await trainers(tmp_path, folder)
    put_matrices(again, matrices)
    lora = Lora.model_validate(
        {
            "embedding_model": "small",
            "embedding_digest": DIGEST,
            "dimensions": 32,
            "rank": 4,
            "matrices": matrices,
        }
    )
    made = encoder(folder, lora).encode(TEXTS)
    np.testing.assert_allclose(made, vectors(again), atol=1e-5)
    np.testing.assert_allclose(made, vectors(trained), atol=2e-2)
    assert (np.sum(made * encoder(folder).encode(TEXTS), axis=1) < 0.99).all()
    other = lora.model_copy(update={"matrices": {"encoder.layer.9.x": next(iter(lora.matrices.values()))}})
    with pytest.raises(CannotLoad, match="does not fit the layer"):
        encoder(folder, other)


class Prefixed(FakeEngine):
    """Knows its prefixes once it is open, as an encoder does that finds them in its folder."""

    def prefixes(self) -> Prefixes:
        return Prefixes("query: ", "passage: ") if self.log else NO_PREFIXES

    async def embed(self, texts: object, priority: object, extra: object = None) -> EmbeddingResult:
        raise NotImplementedError


async def test_an_encoder_that_nobody_asked_yet_is_learnt_on_with_the_prefixes_that_it_is_served_with(
    tmp_path: Path,
) -> None:
    folder = folder_with(tmp_path / "model", USUAL[0])
    engine = OnDemandEmbedding("small", Prefixed(), check=lambda: None)
    model = ServedModel[EmbeddingEngine](served(folder).declaration, engine, identify=lambda: Identity(DIGEST))
    await model.open()
    found = await EncoderFiles(tmp_path / "encoders", lambda _: folder).of(model)
    with safe_open(found.path, framework="numpy") as opened:
        assert json.loads(opened.metadata()[ABOUT])["prefix"] == "query: "


async def test_a_file_that_was_just_asked_for_is_not_the_next_to_go(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "model", USUAL[0])
    files, models = EncoderFiles(tmp_path / "encoders", lambda _: folder), []
    for number in range(MOST_KEPT + 1):
        models.append(served(folder, f"sha256:{number:064}"))
        await models[-1].open()
    made = [await files.of(model) for model in models[:MOST_KEPT]]
    await files.of(models[0])
    await files.of(models[MOST_KEPT])
    assert made[0].path.is_file()


async def test_encoders_that_are_no_usual_ones_are_refused_and_few_files_are_kept(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "model", USUAL[0])
    files = EncoderFiles(tmp_path / "encoders", lambda _: folder)
    found = set()
    for number in range(MOST_KEPT + 2):
        model = served(folder, f"sha256:{number:064}")
        await model.open()
        one = await files.of(model)
        assert (await files.of(model)) == one
        found.add(one.digest)
    assert len(found) == 1, "the same weights"
    assert len(list((tmp_path / "encoders").iterdir())) == MOST_KEPT
    other = folder_with(tmp_path / "other", {"pooling_mode_max_tokens": True})
    unusual = served(other)
    await unusual.open()
    with pytest.raises(EncoderNotTunable):
        await EncoderFiles(tmp_path / "none", lambda _: other).of(unusual)
    assert list((tmp_path / "none").iterdir()) == []


def learn_in_a_process(folder: Path, *, killed_after: int | None = None) -> list[dict[str, Any]]:
    """What the process says, until its end or until it is killed once it has said so many steps."""
    command = [sys.executable, "-m", "lab.training", str(folder)]
    said: list[dict[str, Any]] = []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(json.loads(line))
            if killed_after is not None and said[-1]["event"] == "checkpoint" and said[-1]["step"] > killed_after:
                process.kill()
                return said
    assert process.returncode == 0, said[-1:]
    return said


def test_a_process_that_is_killed_goes_on_to_the_same_loss_and_counts_once(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        (folder / "job.json").write_text(json.dumps(write_job(folder, n_epochs=30)))
    learn_in_a_process(whole)
    first = learn_in_a_process(killed, killed_after=12)
    again = learn_in_a_process(killed)
    assert not [one for one in first if one["event"] == "step" and one["step"] == 90], "it was killed in the middle"
    assert next(one["step"] for one in again if one["event"] == "step") > 9
    one, other = (json.loads((folder / "result.json").read_text()) for folder in (whole, killed))
    for name in ("matrices", "before", "after", "tokens"):
        assert one[name] == other[name], name
    assert one["figures"]["train_loss"] == other["figures"]["train_loss"]
