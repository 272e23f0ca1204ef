"""What a GGUF file says of its model, as far as training needs it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gguf import GGUFReader


@dataclass(frozen=True, slots=True)
class Header:
    """Of a chat model."""

    architecture: str
    template: str
    """Of chats, in Jinja; empty where the file has none."""
    end: str
    """The token that ends a turn, as text."""
    begin: str | None
    adds_begin: bool | None
    """Whether a text begins with that token; None where the file leaves it to whoever serves it."""
    heads: int
    key_value_heads: int


def read_header(path: Path) -> Header:
    """Read it; the weights stay on the disk."""
    reader = GGUFReader(path)

    def value(name: str) -> Any:
        return value_of(reader, name)

    def token(name: str) -> str | None:
        number = value(f"tokenizer.ggml.{name}_token_id")
        field = reader.get_field("tokenizer.ggml.tokens")
        return None if number is None or field is None else str(field.contents(int(number)))

    adds = value("tokenizer.ggml.add_bos_token")
    architecture = str(value("general.architecture"))
    heads = int(value(f"{architecture}.attention.head_count") or 0)
    return Header(
        architecture=architecture,
        template=str(value("tokenizer.chat_template") or ""),
        end=token("eos") or "",
        begin=token("bos"),
        adds_begin=None if adds is None else bool(adds),
        heads=heads,
        key_value_heads=int(value(f"{architecture}.attention.head_count_kv") or heads),
    )


def value_of(reader: GGUFReader, name: str) -> Any:
    """A field of a file's header; None where it is not there."""
    field = reader.get_field(name)
    return None if field is None else field.contents()
