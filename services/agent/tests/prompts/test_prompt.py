from __future__ import annotations

import pytest

from agent.answering.drafting.prompt import ANSWER_PROMPT, FORM_PROMPT, PACKAGED_PROMPT
from agent.prompts.prompt import load_prompt
from agent.steps.model_step import AGENT_PROMPT
from agent.text.refusals import NO_ANSWER


def test_every_prompt_in_use_is_there_and_names_its_version() -> None:
    for version in (ANSWER_PROMPT, PACKAGED_PROMPT, FORM_PROMPT, AGENT_PROMPT):
        prompt = load_prompt(version)
        assert prompt.version == version
        assert prompt.system.template.strip()


@pytest.mark.parametrize("version", [ANSWER_PROMPT, PACKAGED_PROMPT])
def test_a_prompt_of_answers_agrees_on_how_to_say_that_there_is_none(version: str) -> None:
    assert NO_ANSWER in load_prompt(version).system.template


def test_a_version_that_is_not_there_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        load_prompt("answer.v0")
