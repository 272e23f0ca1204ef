from __future__ import annotations

import json

from agent.schemas.json_output import correction, read_output, shown_output

SCHEMA = {"type": "object", "properties": {"days": {"type": "integer"}}, "required": ["days"]}


def test_json_is_read_also_from_a_fence_and_what_is_wrong_is_told() -> None:
    assert read_output(SCHEMA, '```json\n{"days": 27}\n```') == ({"days": 27}, [])
    value, wrong = read_output(SCHEMA, '{"days": "27"}')
    assert value == {"days": "27"}
    assert "days" in correction(wrong)
    value, wrong = read_output(SCHEMA, "27 days")
    assert value is None
    assert "not valid JSON" in wrong[0]


def test_nothing_live_is_shown_but_the_schemas_own_strings_stay() -> None:
    schema = {"enum": ["![a](https://ours.example)"]}
    assert json.loads(shown_output(schema, '"![a](https://ours.example)"')) == "![a](https://ours.example)"
    assert "](" not in shown_output(SCHEMA, '{"days": "![x](https://evil.example/p.png)"}')
