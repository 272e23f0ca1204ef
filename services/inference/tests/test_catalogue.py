from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from inference.catalogue import CatalogueInvalid, load_catalogue

CONFIG = Path(__file__).parents[3] / "deploy" / "config"


def chat(**changes: Any) -> dict[str, Any]:
    return {"name": "talker", "kind": "chat", "engine": "scripted", "context_length": 64} | changes


UPSTREAM = {"base_url": "http://vllm:8000/v1", "upstream_model": "m"}


@pytest.mark.parametrize("file", ["models.yaml", "models.scripted.yaml"])
def test_the_shipped_files_load_and_have_a_default_chat_and_embedding_model(file: str) -> None:
    models = load_catalogue(CONFIG / file).models
    assert {model.kind for model in models if model.default} >= {"chat", "embedding"}


def test_the_commented_examples_of_the_shipped_file_load_too(tmp_path: Path) -> None:
    lines = (CONFIG / "models.yaml").read_text().splitlines()
    start = lines.index("models:")
    shown = [line.replace("  # ", "  ", 1) for line in lines[start:] if not line.strip("# ").endswith(".")]
    shown = [line for line in shown if "default: true" not in line]
    (tmp_path / "models.yaml").write_text("\n".join(shown))
    names = [model.name for model in load_catalogue(tmp_path / "models.yaml").models]
    assert {"qwen3-8b", "llama3", "gpt-4.1-mini", "text-embedding-3-small", "reranker"} <= set(names)


@pytest.mark.parametrize(
    ("models", "says"),
    [
        ([chat(engine="vllm")], "models.0 (talker).engine"),
        ([chat(), chat()], "the name talker is declared twice"),
        ([chat(default=True), chat(name="b", default=True)], "two models of kind chat are the default"),
        ([chat(name="default")], "no model may be called default"),
        ([chat(context_length=None)], "needs context_length"),
        ([chat(kind="embedding")], "needs max_input_tokens and dimensions"),
        ([chat(engine="sentence-transformers", source={"path": "/x"})], "can't serve chat"),
        ([chat(engine="openai")], "takes a source with base_url and upstream_model"),
        ([chat(engine="openai", source={"base_url": "vllm:8000", "upstream_model": "m"})], "source.base_url"),
        ([chat(engine="openai", source={"base_url": "http://vllm:8000/v1"})], "source.upstream_model: Field required"),
        ([chat(engine="transformers", source=UPSTREAM)], "takes a source with path, package or packaged"),
        ([chat(price={"prompt_usd_per_million": -1})], "price.prompt_usd_per_million"),
        ([chat(contxt=1)], "models.0 (talker).contxt: Extra inputs are not permitted"),
        ([], "models"),
    ],
)
def test_a_mistake_is_named_by_file_and_key(tmp_path: Path, models: list[dict[str, Any]], says: str) -> None:
    file = tmp_path / "models.yaml"
    file.write_text(yaml.safe_dump({"models": models}))
    with pytest.raises(CatalogueInvalid) as refused:
        load_catalogue(file)
    assert str(file) in str(refused.value)
    assert says in str(refused.value)


def test_a_missing_or_broken_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CatalogueInvalid, match="INFERENCE_MODELS_FILE"):
        load_catalogue(tmp_path / "none.yaml")
    (tmp_path / "broken.yaml").write_text("models: [")
    with pytest.raises(CatalogueInvalid, match="not valid YAML"):
        load_catalogue(tmp_path / "broken.yaml")
    (tmp_path / "list.yaml").write_text("- a")
    with pytest.raises(CatalogueInvalid, match="must start with `models:`"):
        load_catalogue(tmp_path / "list.yaml")
