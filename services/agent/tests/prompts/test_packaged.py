from __future__ import annotations

from typing import Any

import pytest

from agent.prompts.errors import PromptRefused
from agent.prompts.packaged import (
    MAX_REPLACED_CHARS,
    PACKAGED,
    check_replacement,
    is_as_shipped,
    name_of,
    packaged_definition,
    replaced,
)
from agent.prompts.prompt import load_prompt
from agent.prompts.template import check_template
from contracts.agents.prompts import PACKAGED_PREFIX, PromptDefinition

ANSWER = "groundwork-answer"


def _with(name: str, text: str, **more: Any) -> PromptDefinition:
    shipped = packaged_definition(name).model_dump(mode="json")
    messages = [{"role": "system", "content": text}, *shipped["messages"][1:]]
    return PromptDefinition.model_validate({"messages": messages, "variables": shipped["variables"], **more})


@pytest.mark.parametrize("name", PACKAGED)
def test_every_prompt_that_ships_is_a_template_which_unchanged_asks_what_its_file_does(name: str) -> None:
    definition, shipped = packaged_definition(name), load_prompt(PACKAGED[name].file)
    check_template(definition)
    check_replacement(name, definition)
    assert name.startswith(PACKAGED_PREFIX)
    assert name_of(PACKAGED[name].file) == name
    assert is_as_shipped(name, definition)
    again = replaced(name, 2, definition)
    words = {place: f"<{place}>" for place in definition.variables}
    assert again.system.substitute(words) == shipped.system.substitute(words), "its rules are in its own text"
    assert again.user.substitute(words) == shipped.user.substitute(words)


@pytest.mark.parametrize("name", [name for name, one in PACKAGED.items() if one.replaceable])
def test_rules_that_a_text_leaves_out_and_the_message_with_the_sources_stay(name: str) -> None:
    wanted = PromptDefinition.model_validate({"messages": [{"role": "system", "content": "Be brief. It costs $5."}]})
    check_replacement(name, wanted)
    prompt = replaced(name, 3, wanted)
    words = {place: f"<{place}>" for place in packaged_definition(name).variables}
    system = prompt.system.substitute(words)
    assert system.startswith("Be brief. It costs $5.")
    for rule in PACKAGED[name].rules:
        assert " ".join(rule.split()).replace("{{", "<").replace("}}", ">") in " ".join(system.split())
    assert prompt.user.template == load_prompt(PACKAGED[name].file).user.template
    assert (prompt.version, prompt.file) == (f"{name}@3", PACKAGED[name].file)


@pytest.mark.parametrize(
    ("name", "wanted", "says"),
    [
        ("groundwork-mine", _with(ANSWER, "x"), "those of prompts that ship"),
        ("groundwork-agent", _with("groundwork-agent", "x"), "read and copied, not replaced"),
        (ANSWER, _with(ANSWER, "x", variables={"mood": {}}), "'mood' is not given to this prompt"),
        (ANSWER, _with(ANSWER, "x", variables={"question": {"default": "y"}}), "without defaults"),
        (ANSWER, _with(ANSWER, "x", messages=[{"role": "user", "content": "y"}]), "stays as it ships"),
        (
            ANSWER,
            _with(ANSWER, "x", messages=[{"role": "system", "content": "x"}, {"role": "user", "content": "y"}]),
            "stays as it ships",
        ),
        (ANSWER, _with(ANSWER, "x", examples=[{"input": "a", "output": "b"}]), "'examples' has no effect"),
        (ANSWER, _with(ANSWER, "x", model="other"), "'model' has no effect"),
        (ANSWER, _with(ANSWER, "{{length}} {{sources}} {{question}}"), "'{{sources}}' can't stand in the system text"),
        ("groundwork-summary", _with("groundwork-summary", "Sum up {{title}}."), "'{{title}}' .* takes no places"),
        ("groundwork-queries", _with("groundwork-queries", "{{task}} {{ question }}"), "'{{question}}' can't stand"),
        (ANSWER, _with(ANSWER, "{{instructions}} {{ instructions }}"), "'{{instructions}}' .* more than once"),
        (ANSWER, _with(ANSWER, "x" * (MAX_REPLACED_CHARS + 1)), "20,001 characters; .* at most 20,000"),
    ],
)
def test_what_could_not_stand_in_the_place_of_one_that_ships_is_refused(
    name: str, wanted: PromptDefinition, says: str
) -> None:
    with pytest.raises(PromptRefused, match=says):
        check_replacement(name, wanted)


@pytest.mark.parametrize("role", ["system", "developer"])
def test_places_are_counted_over_all_messages_that_become_the_system_text(role: str) -> None:
    shipped = packaged_definition(ANSWER).messages[1].model_dump()
    messages = [{"role": "system", "content": "{{length}}"}, {"role": role, "content": "{{length}}"}, shipped]
    with pytest.raises(PromptRefused, match="more than once"):
        check_replacement(ANSWER, _with(ANSWER, "", messages=messages))


@pytest.mark.parametrize(
    ("name", "text", "asked"),
    [
        (ANSWER, "Be brief. {{ instructions }}", "Be brief. <instructions>"),
        (ANSWER, "Be brief. \\{{instructions}}", "Be brief. {{instructions}}"),
        ("groundwork-form", "Fit {{ schema }}", "Fit <schema>"),
        (ANSWER, "- If the sources do not\n  hold the answer, write only:\tNO ANSWER", "- If the sources do not"),
    ],
)
def test_a_rule_is_there_once_however_it_is_written(name: str, text: str, asked: str) -> None:
    shipped = load_prompt(PACKAGED[name].file).system.get_identifiers()
    system = replaced(name, 2, _with(name, text)).system.substitute({place: f"<{place}>" for place in shipped})
    assert system.startswith(asked)
    assert system.count("<instructions>") == 1
    assert system.count("<schema>") == (name == "groundwork-form")
    assert system.count("NO ANSWER") == (name == ANSWER)
