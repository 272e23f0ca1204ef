"""The `tokenizer.json` of a GGUF file, so that others count its tokens: of byte-level BPE, told by the file's header.

How a text is split before merging is a name in the header (`tokenizer.ggml.pre`) and code in llama.cpp
(`llama-vocab.cpp`). Of the many names those are known here whose split a test compares with llama.cpp's own; other
models have no tokenizer unless the models file declares one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from inference.catalog.gguf_header import CONTROL, GgufHeader

BYTE_LEVEL_BPE = "gpt2"
"""llama.cpp's `tokenizer.ggml.model` of it."""
USER_DEFINED = 4
"""llama.cpp's LLAMA_TOKEN_TYPE_USER_DEFINED: found whole in a text, and shown."""
WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|{digits}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def _byte_level(*, splits: bool) -> dict[str, Any]:
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": splits}


def _by_words(digits: str) -> list[dict[str, Any]]:
    pattern = {"Regex": WORDS.format(digits=digits)}
    split = {"type": "Split", "pattern": pattern, "behavior": "Isolated", "invert": False}
    return [split, _byte_level(splits=False)]


SPLITS: Mapping[str, list[dict[str, Any]]] = {
    "gpt-2": [_byte_level(splits=True)],
    "smollm": [{"type": "Digits", "individual_digits": True}, _byte_level(splits=True)],
    "qwen2": _by_words(r"\p{N}"),
    "llama-bpe": _by_words(r"\p{N}{1,3}"),
}
WHOLE_WORDS = frozenset(("llama-bpe",))
"""A word that is a token is that token, whatever the merges say."""


def tokenizer_json(header: GgufHeader) -> bytes | None:
    """None for another kind of tokenizer, or a split that is not known."""
    fields = header.fields
    split = SPLITS.get(str(fields.get("tokenizer.ggml.pre")))
    tokens, merges = fields.get("tokenizer.ggml.tokens"), fields.get("tokenizer.ggml.merges")
    if fields.get("tokenizer.ggml.model") != BYTE_LEVEL_BPE or split is None or not tokens or not merges:
        return None
    kinds = fields.get("tokenizer.ggml.token_type") or [0] * len(tokens)
    written = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            _added(number, tokens[number], special=kind == CONTROL)
            for number, kind in enumerate(kinds)
            if kind in (CONTROL, USER_DEFINED)
        ],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": split},
        "post_processor": None,
        "decoder": _byte_level(splits=True),
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": fields["tokenizer.ggml.pre"] in WHOLE_WORDS,
            "vocab": {token: number for number, token in enumerate(tokens)},
            "merges": [merge.split(" ") for merge in merges],
        },
    }
    return json.dumps(written, ensure_ascii=False).encode()


def _added(number: int, content: str, *, special: bool) -> dict[str, Any]:
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return {"id": number, "content": content, "special": special, **plain}
