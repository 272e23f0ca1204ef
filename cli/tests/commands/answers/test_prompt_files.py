from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from contracts.agents.prompts import Prompt
from groundwork.commands.answers.prompt_files import PromptFileInvalid, read_prompt, write_prompt

AT = "2026-01-01T00:00:00Z"
WHOLE: dict[str, Any] = {
    "description": "Says hello.",
    "model": "big",
    "messages": [
        {"role": "system", "content": "Greet {{who}}.\n\n## user\n\\## user\nNot a section."},
        {"role": "user", "content": "Ünïcode\n"},
        {"role": "assistant", "content": ""},
    ],
    "variables": {"who": {"type": "string", "default": "all"}, "n": {"type": "integer"}},
    "examples": [{"input": "Hi", "output": "Ho"}],
    "nearest": 1,
    "parameters": {"temperature": 0.5},
    "output_schema": {"type": "object"},
}


def _prompt(**content: Any) -> Prompt:
    about = {"name": "greeting", "version": 3, "newest": 3, "created_at": AT, "updated_at": AT}
    return Prompt.model_validate({**about, **content})


def test_a_file_holds_all_of_a_version_and_comes_back_as_it_was(tmp_path: Path) -> None:
    prompt, file = _prompt(**WHOLE), tmp_path / "x.md"
    file.write_text(write_prompt(prompt), encoding="utf-8")
    assert _prompt(**read_prompt(file)) == prompt
    file.write_text(write_prompt(prompt).replace("\n", "\r\n"), encoding="utf-8", newline="")
    assert _prompt(**read_prompt(file)) == prompt


def test_a_file_without_a_header_is_named_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "hello.md"
    file.write_text("## user\n\nHello.\n")
    assert read_prompt(file) == {"name": "hello", "messages": [{"role": "user", "content": "Hello."}]}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "has no '## system'"),
        ("Hello.", "has no '## system'"),
        ("Hello.\n## user\n\nHi.", "text before the first"),
        ("---\nname: x\n## user\n\nHi.", "does not end"),
        ("---\n- x\n---\n## user\n\nHi.", "no mapping"),
        ("---\nname: [\n---\n## user\n\nHi.", "holds no prompt"),
    ],
)
def test_a_file_that_holds_no_prompt_says_why(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "x.md"
    file.write_text(text)
    with pytest.raises(PromptFileInvalid, match=why):
        read_prompt(file)
