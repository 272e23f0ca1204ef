from __future__ import annotations

import pytest

from agent.answering.prompt import ANSWER_PROMPT, NO_ANSWER
from agent.prompts.prompt import load_prompt
from agent.steps.model_step import AGENT_PROMPT


def test_every_prompt_in_use_is_there_and_names_its_version() -> None:
    for version in (ANSWER_PROMPT, AGENT_PROMPT):
        prompt = load_prompt(version)
        assert prompt.version == version
        assert prompt.system.template.strip()
    assert NO_ANSWER in load_prompt(ANSWER_PROMPT).system.template + load_prompt(ANSWER_PROMPT).user.template


def test_a_version_that_is_not_there_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        load_prompt("answer.v0")
