from __future__ import annotations

import pytest

from agent.text.codes import asked_codes


@pytest.mark.parametrize(
    ("question", "codes"),
    [
        ("What does E06 mean on an L4-30?", ["e06", "l4-30"]),
        ("错误E06怎么办？", ["e06"]),
        ("エラーE06の意味", ["e06"]),
        ("제3조에 무엇이 있습니까?", []),
        ("第3条说什么？", []),
        ("员工在2024年有几天假", []),
    ],
)
def test_a_clause_written_without_blanks_is_no_part_of_a_code(question: str, codes: list[str]) -> None:
    assert [code.letters + code.number for code in asked_codes(question)] == codes
