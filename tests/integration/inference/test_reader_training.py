"""The recipe of the packaged reader learns by any BERT encoder, whatever its tokenizer."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path

import pytest
import torch
import yaml
from research.reader.examples import SUPPORTED, Example
from research.reader.model import UNKNOWN, ReaderModel, coded, losses
from transformers import AutoTokenizer

from inference.catalog.converted import converted_folder
from inference.catalog.packages import package_folder

ROOT = Path(__file__).resolve().parents[3]
PASSAGE = "Pumps\nThe valve opens at 4.5 bar. It is checked every Monday."
ANSWER = "every Monday"
START = PASSAGE.index(ANSWER)
EXAMPLES = [
    Example("When is it checked?", PASSAGE, answers=True, span=(START, START + len(ANSWER)), fits=True),
    Example("Who pays for it?", PASSAGE, answers=False),
    Example("The valve opens at 4.5 bar.", PASSAGE, support=SUPPORTED),
]


@pytest.fixture(params=["minilm", "multilingual-e5-small"])
def encoder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    declared = yaml.safe_load((ROOT / "deploy" / "config" / "models.yaml").read_text())["models"]
    source = next(model["source"] for model in declared if model["name"] == request.param)
    if importlib.util.find_spec(source["package"]) is None:
        pytest.skip(f"{source['package']} has no wheel here")
    package = package_folder(source["package"])
    if "folder" in source:
        return package / str(source["folder"])
    return converted_folder(tmp_path, source["package"], package / source["file"], source["sha256"])


def test_any_encoder_learns_the_same_spans_and_judgements(encoder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(encoder)
    batch = coded(EXAMPLES, tokenizer)
    first, last = batch["spans"][0].tolist()
    assert tokenizer.decode(batch["input_ids"][0, first : last + 1]).strip().casefold() == ANSWER.casefold()
    assert bool(batch["inside"][0, first : last + 1].all())
    assert batch["spans"][1:].eq(UNKNOWN).all()
    torch.manual_seed(1)
    model = ReaderModel(encoder).eval()
    found = losses(model(batch), batch)
    assert set(found) == {"answers", "fits", "entails", "span"}
    before = sum(float(one.detach()) for one in found.values())
    sum(found.values()).backward()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.grad is not None:
                parameter -= 1e-3 * parameter.grad
    after = sum(float(one.detach()) for one in losses(model(batch), batch).values())
    assert math.isfinite(after)
    assert after < before
