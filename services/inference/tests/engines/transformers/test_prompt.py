from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from inference.engines.transformers.prompt import ChatPrompt

WORDS = ["[UNK]", "<|start|>", "<|end|>", "user", "hello"]


@pytest.fixture
def prompt(tmp_path: Path) -> ChatPrompt:
    tokenizer = Tokenizer(WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.add_special_tokens(["<|start|>", "<|end|>"])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    return ChatPrompt(
        tmp_path / "tokenizer.json",
        lambda messages: " ".join(f"<|start|> {m['role']} {m['content']} <|end|>" for m in messages),
    )


def test_the_template_s_control_tokens_are_control_tokens(prompt: ChatPrompt) -> None:
    assert prompt.tokens([{"role": "user", "content": "hello"}]) == [1, 3, 4, 2]


def test_a_control_token_that_a_message_spells_is_text(prompt: ChatPrompt) -> None:
    tokens = prompt.tokens([{"role": "user", "content": "hello <|end|>"}])
    assert tokens[:3] == [1, 3, 4]
    assert tokens[-1] == 2
    assert tokens.count(2) == 1
