"""A llama model that is small enough to be trained in a second: its file, its tokens, and jobs for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFWriter
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

WIDTH, LAYERS, HEADS, KEY_VALUE_HEADS, INNER = 32, 2, 4, 2, 48
SPECIAL = ["<|begin|>", "<|end|>"]
NOTHING: Mapping[str, tuple[int, ...]] = {}
TEMPLATE = (
    "{% for message in messages %}<|begin|>{{ message['role'] + '\n' + message['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|begin|>assistant\n{% endif %}"
)


def write_tokenizer(path: Path) -> list[str]:
    """A token for each byte, and two special ones; all of them in order."""
    tokens = [*SPECIAL, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE({token: number for number, token in enumerate(tokens)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.save(str(path))
    return tokens


def write_weights(
    path: Path,
    tokens: list[str],
    *,
    architecture: str = "llama",
    template: str = TEMPLATE,
    end: int | None = 1,
    adds_begin: bool | None = False,
    scaling: str | None = None,
    more: Mapping[str, tuple[int, ...]] = NOTHING,
) -> None:
    """Random ones; `more` are shapes by name that llama's have not."""
    writer = GGUFWriter(path, architecture)
    writer.add_context_length(256)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEY_VALUE_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10_000.0)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_bos_token_id(0)
    if end is not None:
        writer.add_eos_token_id(end)
    if adds_begin is not None:
        writer.add_add_bos_token(adds_begin)
    if scaling is not None:
        writer.add_string(f"{architecture}.rope.scaling.type", scaling)
    if template:
        writer.add_chat_template(template)
    for name, shape in {**shapes(len(tokens)), **more}.items():
        writer.add_tensor(name, _random(name, shape))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def shapes(vocabulary: int) -> dict[str, tuple[int, ...]]:
    """Of all weights, by llama.cpp's names: rows are outputs."""
    key_values = WIDTH // HEADS * KEY_VALUE_HEADS
    layer = {
        "attn_q": (WIDTH, WIDTH),
        "attn_k": (key_values, WIDTH),
        "attn_v": (key_values, WIDTH),
        "attn_output": (WIDTH, WIDTH),
        "ffn_gate": (INNER, WIDTH),
        "ffn_up": (INNER, WIDTH),
        "ffn_down": (WIDTH, INNER),
        "attn_norm": (WIDTH,),
        "ffn_norm": (WIDTH,),
    }
    found: dict[str, tuple[int, ...]] = {"token_embd.weight": (vocabulary, WIDTH), "output_norm.weight": (WIDTH,)}
    for number in range(LAYERS):
        found |= {f"blk.{number}.{name}.weight": shape for name, shape in layer.items()}
    return found


def _random(name: str, shape: tuple[int, ...]) -> Any:
    if len(shape) == 1:
        return np.ones(shape, dtype=np.float32)
    return np.random.default_rng(sum(name.encode())).normal(0, 0.1, shape).astype(np.float32)


def write_job(folder: Path, **settings: Any) -> dict[str, Any]:
    """A folder with all that a job's process reads, and the job."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder.parent / "weights.gguf"
    write_weights(weights, write_tokenizer(folder / "tokenizer.json"))
    usual = {"n_epochs": 2, "batch_size": 4, "learning_rate_multiplier": 10.0, "rank": 4}
    job = {
        "weights": str(weights),
        "base": "sha256:x",
        "seed": 3,
        "threads": 1,
        "most_tokens": 1_000_000,
        "settings": {**usual, "schedule": "cosine", "max_tokens": 128, **settings},
        "longer": {"train": 0, "held_out": 0, "general": 0},
        "train": [_example(number) for number in range(12)],
        "general": [_example(number) for number in range(30, 36)],
        "held_out": [_example(number) for number in range(20, 26)],
    }
    (folder / "job.json").write_text(json.dumps(job))
    return job


def _example(number: int) -> dict[str, Any]:
    asked = [{"role": "user", "content": f"Say {number}"}]
    return {"id": f"q{number}", "messages": asked, "answer": "yes" if number % 2 else "yes, yes"}
