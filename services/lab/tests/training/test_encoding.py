from __future__ import annotations

from pathlib import Path

import pytest
from services.lab.tests.training import tiny

from lab.training.encoding import Chats
from lab.training.impossible import Impossible


@pytest.fixture
def chats(tmp_path: Path) -> Chats:
    tiny.write_tokenizer(tmp_path / "tokenizer.json")
    return Chats(str(tmp_path / "tokenizer.json"), tiny.TEMPLATE, "<|end|>", "<|begin|>", adds_begin=False)


def test_only_the_answer_and_the_end_of_its_turn_are_learnt(chats: Chats) -> None:
    asked = [{"role": "system", "content": "Short."}, {"role": "user", "content": "Hi"}]
    found = chats.encode({"id": "q", "messages": asked, "answer": "Yes."})
    assert (found.learnt, found.ids[-1]) == (len("Yes.") + 1, 1)
    prompt = "<|begin|>system\nShort.<|end|><|begin|>user\nHi<|end|><|begin|>assistant\n"
    assert found.prompt == len(prompt.replace("<|begin|>", "b").replace("<|end|>", "e"))


def test_a_text_begins_with_its_token_once(tmp_path: Path, chats: Chats) -> None:
    adding = Chats(str(tmp_path / "tokenizer.json"), "{{ messages[0]['content'] }}", "<|end|>", "<|begin|>", True)
    assert adding.prompt([{"role": "user", "content": "Hi"}])[0] == 0
    begun = adding.prompt([{"role": "user", "content": "<|begin|>Hi"}])
    assert begun[:2].count(0) == 1


def test_turns_that_the_template_refuses_are_told_with_their_question(tmp_path: Path) -> None:
    template = "{{ raise_exception('System role not supported') }}"
    tiny.write_tokenizer(tmp_path / "tokenizer.json")
    chats = Chats(str(tmp_path / "tokenizer.json"), template, "<|end|>", "<|begin|>", adds_begin=False)
    with pytest.raises(Impossible, match="'q7': System role not supported") as ended:
        chats.encode({"id": "q7", "messages": [{"role": "system", "content": "Short."}], "answer": "Yes."})
    assert ended.value.code == "training_data_broken"
