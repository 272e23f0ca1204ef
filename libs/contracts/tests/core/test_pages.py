from __future__ import annotations

from libs.contracts.tests.refusals import refused_field

from contracts.agents.runs import ToolCall
from contracts.core.pages import Page

CALL = {"id": "call_1", "name": "pay", "arguments": {}}


def test_the_last_page_says_so_with_a_null() -> None:
    assert Page[ToolCall](data=[]).model_dump() == {"data": [], "next_cursor": None}


def test_each_item_of_a_page_is_read_as_its_kind() -> None:
    page = Page[ToolCall].model_validate({"data": [{**CALL, "new": 1}], "next_cursor": "n", "total": 9})
    assert page.model_dump() == {"data": [CALL], "next_cursor": "n"}
    assert refused_field(Page[ToolCall], {"data": [{"id": "call_1"}]}) == "data"
