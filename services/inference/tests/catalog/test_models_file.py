from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from services.inference.tests.corrections import correction
from services.inference.tests.heads import head
from services.inference.tests.projections import projection

from inference.catalog.models_file import Model, ModelsFileInvalid, load_models_file

CONFIG = Path(__file__).parents[4] / "deploy" / "config"


def chat(**changes: Any) -> dict[str, Any]:
    return {"name": "talker", "kind": "chat", "engine": "scripted", "context_length": 64} | changes


def folder(**changes: Any) -> dict[str, Any]:
    return RERANK | {"engine": "sentence-transformers"} | changes


EMBEDDING = {"name": "words", "kind": "embedding", "engine": "scripted", "max_input_tokens": 64, "dimensions": 8}
RERANK = {"name": "overlap", "kind": "rerank", "engine": "scripted"}
READING = {"name": "reader", "kind": "reading", "engine": "scripted"}
JUDGED = {"chat_model": "talker"}
MOVED: dict[str, Any] = {
    "name": "words+manuals",
    "kind": "embedding",
    "engine": "projection",
    "source": {"projection": projection()},
    "max_input_tokens": 64,
    "dimensions": 2,
}
CORRECTED: dict[str, Any] = {
    "name": "reader+manuals",
    "kind": "reading",
    "engine": "correction",
    "source": {"correction": correction()},
}
TRIAGE = {"name": "triage", "kind": "classification", "engine": "head", "source": {"head": head()}}
GUARD = {"name": "guard", "kind": "classification", "engine": "judge", "source": JUDGED}
GGUF = {"path": "/srv/models/m.gguf"}
UPSTREAM = {"base_url": "http://vllm:8000/v1", "upstream_model": "m"}


@pytest.mark.parametrize("file", ["models.yaml", "models.scripted.yaml", "models.gpu.yaml"])
def test_the_shipped_files_load_and_have_a_default_chat_and_embedding_model(file: str) -> None:
    models = load_models_file(CONFIG / file).models
    assert {model.kind for model in models if model.default} >= {"chat", "embedding"}


def examples() -> list[dict[str, Any]]:
    """The examples of models.yaml: its lines that begin with `  # `, without that mark."""
    lines = (CONFIG / "models.yaml").read_text().splitlines()
    shown = [line.replace("  # ", "  ", 1) for line in lines if line.startswith("  # ")]
    return list(yaml.safe_load("models:\n" + "\n".join(shown))["models"])


def test_there_is_an_example_for_every_server_that_we_name() -> None:
    hosts = {str(example["source"].get("base_url", "")).partition("://")[2].partition("/")[0] for example in examples()}
    assert hosts >= {
        "vllm:8000",
        "127.0.0.1:11434",
        "127.0.0.1:8081",
        "api.openai.com",
        "api.anthropic.com",
        "generativelanguage.googleapis.com",
        "api.cohere.ai",
        "api.cohere.com",
    }


@pytest.mark.parametrize("example", examples(), ids=lambda example: str(example["name"]))
def test_each_commented_example_is_a_model_that_can_be_declared(tmp_path: Path, example: dict[str, Any]) -> None:
    (tmp_path / "models.yaml").write_text(yaml.safe_dump({"models": [example]}))
    (model,) = load_models_file(tmp_path / "models.yaml").models
    assert model.name == example["name"]


def test_all_examples_can_be_declared_beside_the_packaged_models(tmp_path: Path) -> None:
    text = (CONFIG / "models.yaml").read_text().replace("\n  # ", "\n  ")
    (tmp_path / "models.yaml").write_text(text)
    assert len(load_models_file(tmp_path / "models.yaml").models) == 4 + len(examples())


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
        ([folder(source=UPSTREAM)], "takes a source with path, package or huggingface"),
        ([folder(source={"package": "p", "file": "a.gguf"})], "file and sha256 go together"),
        ([folder(source={"package": "p", "file": "../a", "sha256": "0" * 64})], "source.file"),
        ([folder(source={"package": "p", "file": "a", "sha256": "x"})], "source.sha256"),
        ([folder(source={"huggingface": "no-owner"})], "source.huggingface"),
        ([chat(engine="openai", source=UPSTREAM, queue={"engine_waiting": 3})], "needs source.metrics_url"),
        ([chat(engine="openai", source=UPSTREAM | {"max_tokens_as": "tokens"})], "source.max_tokens_as"),
        ([chat(engine="openai", source=UPSTREAM, queue={"at_once": 0})], "queue.at_once"),
        ([folder(source={"path": "/x"}, vllm={"tool_parser": "x"})], "vllm is for engine openai"),
        ([chat(engine="openai", source=UPSTREAM, quantization="AWQ!")], "quantization"),
        ([chat(quantization="awq")], "no weights to quantize"),
        ([chat(engine="llamacpp")], "takes a source with path, package and file, or huggingface and file"),
        ([chat(engine="llamacpp", source={"path": "/srv/model"})], "source: path must be a .gguf file"),
        ([chat(engine="llamacpp", source={"huggingface": "org/m"})], "source: file must be given"),
        ([chat(engine="llamacpp", source=GGUF, quantization="awq")], "a GGUF file says it itself"),
        ([chat(engine="llamacpp", source=GGUF, llamacpp={"mmproj": {"path": "/x"}})], "mmproj: path must be a .gguf"),
        ([chat(engine="llamacpp", source=GGUF, generation={"top_k": -1})], "generation.top_k"),
        ([chat(engine="llamacpp", source=GGUF, llamacpp={"idle_seconds": -1})], "idle_seconds"),
        ([chat(engine="llamacpp", source=GGUF, llamacpp={"idle_seconds": "5m"})], "idle_seconds"),
        ([chat(engine="llamacpp", source=GGUF, llamacpp={"idle_seconds": 10**6})], "idle_seconds"),
        ([chat(llamacpp={"threads": 2})], "llamacpp is for engine llamacpp"),
        ([chat(generation={"top_k": 2})], "generation is for engine llamacpp"),
        ([folder(source={"path": "/x", "sha256": "0" * 64})], "are for engine llamacpp"),
        ([folder(source={"huggingface": "o/m", "file": "a.gguf"})], "are for engine llamacpp"),
        ([EMBEDDING | {"queue": {"at_once": 2}}], "queue.waiting_tokens bounds them"),
        ([EMBEDDING | {"queue": {"waiting": 2}}], "queue.waiting_tokens bounds them"),
        ([chat(languages=["en"])], "languages is for models of kind embedding or reading"),
        ([chat(alone=True)], "alone is for models of kind reading"),
        ([EMBEDDING | {"languages": ["english"]}], "languages"),
        ([EMBEDDING | {"prefixes": {"question": "q: "}}], "prefixes"),
        ([EMBEDDING | {"engine": "openai", "source": UPSTREAM, "load": "when_used"}], "a server loads its own"),
        (
            [EMBEDDING | {"engine": "openai", "source": UPSTREAM | {"input_types": {"query": "q"}}}],
            "input_types.passage",
        ),
        ([RERANK | {"queue": {"waiting_tokens": 2}}], "the scripted engine of rerank"),
        ([READING | {"engine": "openai", "source": UPSTREAM}], "can't serve reading"),
        ([READING | {"engine": "judge"}], "takes a source with chat_model"),
        ([READING | {"engine": "judge", "source": {"chat_model": ""}}], "source.chat_model"),
        ([READING | {"engine": "judge", "source": JUDGED, "queue": {"at_once": 2}}], "the queue of its chat model"),
        ([TRIAGE | {"engine": "openai", "source": UPSTREAM}], "can't serve classification"),
        ([MOVED | {"source": {"head": head()}}], "takes a source with projection"),
        ([MOVED | {"dimensions": 3}], "dimensions: the projection was learnt on vectors of 2 numbers"),
        ([MOVED | {"prefixes": {"query": "q: "}}], "prefixes is the embedding model's"),
        ([MOVED | {"load": "when_used"}], "load is the embedding model's"),
        ([MOVED | {"queue": {"waiting_tokens": 5}}], "a projection has the queue of its embedding model"),
        ([CORRECTED | {"queue": {"waiting_tokens": 5}}], "a correction has the queue of its reading model"),
        ([CORRECTED | {"kind": "embedding"}], "engine correction can't serve embedding"),
        ([CORRECTED | {"kind": "rerank", "languages": ["en"]}], "languages is for models of kind embedding or reading"),
        ([CORRECTED | {"source": {"projection": projection()}}], "takes a source with correction"),
        ([TRIAGE | {"source": {"chat_model": "talker"}}], "takes a source with head, or the path"),
        ([TRIAGE | {"source": {"head": head(labels=["a"])}}], "source.head.labels"),
        ([TRIAGE | {"source": {"head": head(), "path": "a.json"}}], "source.head: Extra"),
        ([TRIAGE | {"queue": {"at_once": 2}}], "the queue of its embedding model"),
        ([TRIAGE | {"languages": ["en"]}], "languages is for"),
        ([TRIAGE | {"moderation": {"categories": {"odd": "Not One"}}}], "moderation.categories"),
        ([TRIAGE | {"moderation": {"categories": {"Late": "hate"}}}], "no label 'Late'; it has late, odd"),
        ([GUARD | {"moderation": {"categories": {"s1": "hate"}}}], "no label 's1'; it has safe, unsafe, S1"),
        ([RERANK | {"moderation": {"categories": {"odd": "hate"}}}], "moderation is for models of kind classification"),
        ([chat(price={"prompt_usd_per_million": -1})], "price.prompt_usd_per_million"),
        ([chat(contxt=1)], "models.0 (talker).contxt: Extra inputs are not permitted"),
        ([], "models"),
    ],
)
def test_a_mistake_is_named_by_file_and_key(tmp_path: Path, models: list[dict[str, Any]], says: str) -> None:
    file = tmp_path / "models.yaml"
    file.write_text(yaml.safe_dump({"models": models}))
    with pytest.raises(ModelsFileInvalid) as refused:
        load_models_file(file)
    assert str(file) in str(refused.value)
    assert says in str(refused.value)


def test_an_engine_that_was_removed_says_what_to_write_instead(tmp_path: Path) -> None:
    file = tmp_path / "models.yaml"
    file.write_text(yaml.safe_dump({"models": [chat(engine="transformers", source={"packaged": "smollm2"})]}))
    with pytest.raises(ModelsFileInvalid) as refused:
        load_models_file(file)
    told = str(refused.value)
    assert "models.0 (talker).engine: engine transformers is no more" in told
    assert all(words in told for words in ("engine: llamacpp", "path: m.gguf", "vLLM", "engine: openai"))


def test_a_missing_or_broken_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelsFileInvalid, match="INFERENCE_MODELS_FILE"):
        load_models_file(tmp_path / "none.yaml")
    (tmp_path / "broken.yaml").write_text("models: [")
    with pytest.raises(ModelsFileInvalid, match="not valid YAML"):
        load_models_file(tmp_path / "broken.yaml")
    (tmp_path / "list.yaml").write_text("- a")
    with pytest.raises(ModelsFileInvalid, match="must start with `models:`"):
        load_models_file(tmp_path / "list.yaml")


@pytest.mark.parametrize(
    ("url", "price", "paid"),
    [
        ("https://api.openai.com/v1", {"prompt_usd_per_million": 1}, True),
        ("https://api.openai.com/v1", {"prompt_usd_per_million": 0, "completion_usd_per_million": 2}, True),
        ("https://api.openai.com/v1", {"prompt_usd_per_million": 0}, False),
        ("https://api.openai.com/v1", None, False),
        ("http://vllm:8000/v1", {"prompt_usd_per_million": 1}, False),  # one's own server: a question costs nothing
    ],
)
def test_a_price_behind_https_makes_a_model_one_whose_every_question_costs(url: str, price: Any, paid: bool) -> None:
    source = {"base_url": url, "upstream_model": "m"}
    assert Model.model_validate(chat(engine="openai", source=source, price=price)).is_paid is paid


@pytest.mark.parametrize(
    ("declared", "remote"),
    [
        (chat(), False),
        (folder(source={"path": "/x"}), False),
        (chat(engine="openai", source=UPSTREAM), True),
        (EMBEDDING | {"engine": "openai", "source": UPSTREAM}, True),
    ],
)
def test_a_model_is_remote_where_a_server_computes_it(declared: dict[str, Any], remote: bool) -> None:
    assert Model.model_validate(declared).is_remote is remote


@pytest.mark.parametrize(
    ("declared", "reads"),
    [
        (chat(), None),
        (chat(images=True), True),
        (chat(images=False), False),
        (chat(engine="llamacpp", source=GGUF, llamacpp={"mmproj": GGUF}), True),
        (chat(engine="llamacpp", source=GGUF, llamacpp={"mmproj": GGUF}, images=False), False),
        (EMBEDDING, None),
    ],
)
def test_whether_a_model_reads_pictures_is_said_or_known_by_its_projector(
    declared: dict[str, Any], reads: bool | None
) -> None:
    assert Model.model_validate(declared).reads_images is reads


def test_only_chat_models_read_pictures() -> None:
    with pytest.raises(ValueError, match="images is for models of kind chat"):
        Model.model_validate({**EMBEDDING, "images": True})
