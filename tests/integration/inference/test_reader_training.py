"""The recipe of the packaged reader learns by any BERT encoder, whatever its tokenizer, and chooses among passages."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path

import pytest
import torch
import yaml
from research.reader.choices import OTHERS, Choices
from research.reader.examples import SUPPORTED, Example
from research.reader.model import OTHERS_COUNT, UNKNOWN, ReaderModel, coded, grouped, losses
from research.reader.sources import LANGUAGES, OURS, UNSEEN, ours
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


@pytest.fixture(params=["minilm", "multilingual-e5-small"], scope="module")
def encoder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    declared = yaml.safe_load((ROOT / "deploy" / "config" / "models.yaml").read_text())["models"]
    source = next(model["source"] for model in declared if model["name"] == request.param)
    if importlib.util.find_spec(source["package"]) is None:
        pytest.skip(f"{source['package']} has no wheel here")
    package = package_folder(source["package"])
    if "folder" in source:
        return package / str(source["folder"])
    return converted_folder(
        tmp_path_factory.mktemp("models"), source["package"], package / source["file"], source["sha256"]
    )


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


def test_of_several_passages_the_one_that_answers_is_learnt(encoder: Path) -> None:
    group = [EXAMPLES[0], *(Example(EXAMPLES[0].first, text, answers=False) for text in ("Pumps\nBlue.", "Hoses"))]
    batch = grouped([[EXAMPLES[1]], group, [EXAMPLES[2]]], AutoTokenizer.from_pretrained(encoder))
    assert batch["chosen"].tolist() == [[1, 3]]
    assert batch["counts"].tolist() == pytest.approx([1, 1, OTHERS_COUNT / 2, OTHERS_COUNT / 2, 1])
    model = ReaderModel(encoder).eval()
    made = model(batch)
    odds = made["answers"][1:4].detach()
    assert float(losses(made, batch)["choice"].detach()) == pytest.approx(float(-odds.log_softmax(0)[0]), rel=1e-5)


def test_a_question_stands_beside_passages_of_its_document_that_do_not_answer() -> None:
    learnt = list(ours())
    titles = {row["title"] for row in learnt[:2000:200]}
    rows = [row for row in learnt if row["title"] in titles]
    answers = {(asked["q"], asked["a"].lower()) for row in rows for asked in row["questions"]}
    made = Choices(rows).epoch(0)
    assert made == Choices(rows).epoch(0) != Choices(rows).epoch(1)
    answered = [group for group in made if group[0].answers]
    assert len(answered) > 100
    for group in answered:
        said = group[0].second[slice(*(group[0].span or (0, 0)))].lower()
        assert (group[0].first, said) in answers
        assert not any(one.answers or said in one.second.partition("\n")[2].lower() for one in group[1:])
    assert max(map(len, answered)) == 1 + OTHERS
    assert sum(len(group) > 2 for group in answered) > len(answered) * 0.9
    assert not any(one.answers for group in made if group not in answered for one in group)


def test_what_is_judged_by_is_not_learnt_from() -> None:
    learnt = {row["title"] for row in ours((*OURS, LANGUAGES))}
    unseen = list(ours([UNSEEN]))
    assert len({row["title"] for row in unseen}) > 30
    assert not learnt & {row["title"] for row in unseen}
    for row in ours((*OURS, LANGUAGES, UNSEEN)):
        assert all(asked["a"] in row["text"] for asked in row["questions"]), row["heading"]
