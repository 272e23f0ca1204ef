"""The tokenizer that is made of a GGUF file's header, held to llama.cpp's own reading of the same file."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from tests.support.inference.packaged import packaged_gguf
from tokenizers import Tokenizer

from inference.catalog.gguf_files import GgufFiles
from inference.catalog.gguf_header import read_header
from inference.catalog.gguf_tokenizer import SPLITS, tokenizer_json
from inference.engines.llamacpp.process import ServerOptions, start_server

pytestmark = pytest.mark.skipif(importlib.util.find_spec("xllamacpp") is None, reason="xllamacpp has no wheel here")
TEXTS = [
    "",
    " ",
    "\n\n \t x",
    "In 2024 the price was 1,299.00 €; call +49 (0)30 123456-789, or 0x1F3a, ½ or Ⅷ or ٣٤٥.",
    "Don't we'll THEY'RE it's I'd 'tis 'Sir",
    "def f(x: int) -> str:\n    if x > 10:\n\t\treturn f\"{x:>10}\"  # done\r\n\r\n\n\n    return ''\n",
    "Straße, naïve, Ångström, e\u0301 combining, ﬁ ligature, ｆｕｌｌ ｗｉｄｔｈ",
    "漢字とかなカナ、中文没有空格。한국어 조사",
    "العربية تُكتب من اليمين إلى اليسار، 123 و٤٥٦.",
    "हिन्दी में लिखा, ไทยไม่มีช่องว่าง, עברית",
    "🎉👩‍👩‍👧‍👦🏳️‍🌈 👍🏽x🙂🙂",
    "zero\u200bwidth no\u00a0break \u2028line\u3000wide   three spaces   ",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbb ============================== -----",
    'user@example.org https://example.org/a?b=c&d=%20#e $x_1 = {"k": [1,2.5e-10,null]};',
    "<|im_start|>user\nHello<|im_end|>\n<|endoftext|>",
    "\ufeffmark, \x00 nul, \x1b[0m escape, \ud7ff edge, \U0010ffff last",
]


def split_as(folder: Path, split: str) -> Path:
    """The packaged model, but for the name of the split in its header: its length is made up in the chat template's."""
    content = packaged_gguf().read_bytes()
    content = _replaced(content, b"tokenizer.ggml.pre", lambda _: split.encode())
    missing = len("smollm") - len(split)
    content = _replaced(
        content,
        b"tokenizer.chat_template",
        lambda template: template.replace(
            b"Hugging Face", b"Hugging Face".ljust(12 + missing, b".")[: 12 + missing], 1
        ),
    )
    assert len(content) == packaged_gguf().stat().st_size
    file = folder / f"{split}.gguf"
    file.write_bytes(content)
    return file


def _replaced(content: bytes, name: bytes, change) -> bytes:  # type: ignore[no-untyped-def]
    """The file with another value of a field that is a string: name, kind (4 bytes), length (8), value."""
    start = content.index(name) + len(name) + 4
    length = int.from_bytes(content[start : start + 8], "little")
    value = change(content[start + 8 : start + 8 + length])
    return content[:start] + len(value).to_bytes(8, "little") + value + content[start + 8 + length :]


@asynccontextmanager
async def llama(file: Path) -> AsyncIterator[str]:
    server = await start_server("m", GgufFiles(file), ServerOptions(128, 1, 1, None), "key")
    try:
        yield server.address
    finally:
        await server.end()


@pytest.mark.parametrize("split", SPLITS)
async def test_every_known_split_gives_llama_cpps_tokens(tmp_path: Path, split: str) -> None:
    file = packaged_gguf() if split == "smollm" else split_as(tmp_path, split)
    content = await asyncio.to_thread(tokenizer_json, read_header(file))
    assert content is not None
    ours = Tokenizer.from_str(content.decode())
    headers = {"Authorization": "Bearer key"}
    async with llama(file) as address, aiohttp.ClientSession(address, headers=headers) as session:
        for text in [*TEXTS, "".join(TEXTS)]:
            async with session.post("/tokenize", json={"content": text, "add_special": False}) as answer:
                theirs = (await answer.json())["tokens"]
            assert ours.encode(text, add_special_tokens=False).ids == theirs, text
