from __future__ import annotations

import pytest
from typer.main import get_command

from contracts.operations.table import OPERATIONS
from groundwork.commands.api_words import COMMANDS, in_commands
from groundwork.commands.entry import app


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("No key 'k'. GET /v1/keys lists them.", "No key 'k'. `groundwork key list` lists them."),
        ("Go to `DELETE /v1/models/hf/m`.", "Go to `groundwork model remove hf/m`."),
        ("End it: DELETE /v1/models/pull/p1, or wait.", "End it: `groundwork model pulls --cancel p1`, or wait."),
        ("first: DELETE /v1/models/{id}.", "first: `groundwork model remove ID`."),
        ("(POST /v1/fine_tuning/jobs/j/publish)", "(`groundwork tune publish j`)"),
        ("Use `groundwork.model` (GET /v1/models).", "Use `--model` (`groundwork model list`)."),
        ("PUT /v1/prompts/p/labels/live makes it", "`groundwork prompt label p live VERSION` makes it"),
        ("Free it: DELETE /v1/models/qwen3:4b.", "Free it: `groundwork model remove qwen3:4b`."),
        ("DELETE /v1/models/qwen3:4b: it goes.", "`groundwork model remove qwen3:4b`: it goes."),
        ("DELETE /v1/models/a;b", "`groundwork model remove 'a;b'`"),
        ("`DELETE /v1/models/a b`", "`DELETE /v1/models/a b`"),
        ("DELETE /v1/keys/a:b ends it.", "DELETE /v1/keys/a:b ends it."),
        ("No 'x. GET /v1/keys'. GET /v1/keys", "No 'x. GET /v1/keys'. `groundwork key list`"),
        ('No "it\'s GET /v1/keys" there.', 'No "it\'s GET /v1/keys" there.'),
        ("The keys' list: GET /v1/keys.", "The keys' list: `groundwork key list`."),
        ("No 'a `groundwork.model` b'.", "No 'a `groundwork.model` b'."),
        ("POST /v1/tokenize gives them.", "POST /v1/tokenize gives them."),
        ("FORGET /v1/keys, or GET /v2/keys.", "FORGET /v1/keys, or GET /v2/keys."),
    ],
)
def test_a_call_that_has_a_command_is_named_as_that(message: str, said: str) -> None:
    assert in_commands(message) == said


def test_every_call_is_a_public_one_and_every_command_is_there() -> None:
    calls = {operation.id for operation in OPERATIONS}
    for operation, command in COMMANDS:
        assert operation.id in calls
        assert command.count("{}") <= len(operation.parameters)
        step = get_command(app)
        for word in command.split():
            if word in getattr(step, "commands", {}):
                step = step.commands[word]  # type: ignore[attr-defined]
        assert not hasattr(step, "commands"), command
