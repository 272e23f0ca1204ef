"""What services advise by naming a call is a command at the command line, wherever there is one."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from groundwork.commands.api_words import in_commands

ROOT = Path(__file__).parents[2]
CALL = re.compile(r"\b(?:GET|POST|PUT|PATCH|DELETE) /v1/\S*[^\s.,;:)]")
WITHOUT_A_COMMAND = {
    "GET /v1/me": "sessions are browsers'",
    "GET /v1/reviews": "people judge answers in the console",
    "POST /v1/reviews/next": "people judge answers in the console",
    "DELETE /v1/reviews": "people judge answers in the console",
    "POST /v1/feedback": "people judge answers in the console",
    "POST /v1/tokenize": "token ids are clients'",
    "POST /v1/chat/completions": "completions are clients'",
    "GET /v1/jobs": "`ingest` and `reindex` show theirs",
    "GET /v1/agents/x/versions": "`agent list` has the current ones alone",
    "GET /v1/prompts/x/versions": "`prompt list` has those with a label alone",
}
"""Calls that errors name though the command line has nothing for them, and why."""


def _texts(node: ast.AST) -> Iterator[str]:
    """Every text below a node, with `x` in place of what is filled in."""
    if isinstance(node, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in node.values)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    else:
        for child in ast.iter_child_nodes(node):
            yield from _texts(child)


def test_every_call_that_an_error_names_has_its_command_or_a_reason_to_have_none() -> None:
    left: dict[str, str] = {}
    seen = 0
    for file in sorted(ROOT.glob("services/*/src/*/**/errors.py")):
        for text in _texts(ast.parse(file.read_text(encoding="utf-8"))):
            seen += len(CALL.findall(text))
            left |= {call: str(file.relative_to(ROOT)) for call in CALL.findall(in_commands(text))}
    assert seen > 60
    assert {call: file for call, file in left.items() if call not in WITHOUT_A_COMMAND} == {}
    assert set(WITHOUT_A_COMMAND) - set(left) == set()
