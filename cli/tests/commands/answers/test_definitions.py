from __future__ import annotations

from pathlib import Path

import pytest
from cli.tests.terminal import sentence


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("when: 2026-13-45\n", "month must be in"),
        ('a: !!int "x"\n', "invalid literal"),
        ('a: !!timestamp "x"\n', "does not fit its tag"),
        ("a: !!bool x\n", "does not fit its tag"),
        (f"a: {'9' * 5000}\n", "digits"),
        ("limits: {seconds: .inf}\n", "float values"),
        ('model: "\\ud800"\n', "half a character"),
        ("[" * 3000, "nested too deeply"),
        ("a: &x [*x]\n", "Circular"),
        ("- a\n", "no mapping"),
    ],
    ids=lambda value: value[:20],
)
def test_a_file_that_holds_no_agent(tmp_path: Path, written: str, why: str) -> None:
    file = tmp_path / "agent.yaml"
    file.write_text(written)
    said = sentence("agent", "save", str(file))
    assert f"'{file}' holds no agent: " in said
    assert why in said
    assert "Write a mapping in YAML or JSON" in said


def test_an_agents_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "agent.yaml").write_bytes(b"model: \xff")
    assert "not UTF-8" in sentence("agent", "save", str(tmp_path / "agent.yaml"))
