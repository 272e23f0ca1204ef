from __future__ import annotations

from services.inference.tests.tool_calls.declared import PLACE, WEATHER, tools

from inference.tool_calls.answer_schema import AnswerReader, ParsedAnswer, answer_schema


def test_a_server_s_call_that_is_cut_is_given_with_its_blanks() -> None:
    cut = ParsedAnswer.cut_short('{ "name" : "weather",\n "arguments" : {"city": "Par', tools(WEATHER, choice="auto"))
    assert [call["function"] for call in cut.calls] == [{"name": "weather", "arguments": '{"city": "Par'}]
    assert ParsedAnswer.cut_short('{"text": "It rai', tools(WEATHER, choice="auto")).text == "It rai"


def test_a_schema_offers_each_call_and_an_answer_unless_a_call_is_required() -> None:
    schema = answer_schema(tools(WEATHER, choice="auto"), None)
    call, answer = schema["anyOf"]
    assert call["properties"]["name"] == {"const": "weather"}
    assert answer["properties"] == {"text": {"type": "string"}}
    assert answer_schema(tools(WEATHER), None)["properties"]["name"] == {"const": "weather"}


def test_references_of_a_tool_s_parameters_lead_to_where_they_are_put() -> None:
    parameters = {"type": "object", "properties": {"to": {"$ref": "#/$defs/city"}}, "$defs": {"city": PLACE}}
    schema = answer_schema(tools({"name": "go", "parameters": parameters}), None)
    assert schema["$defs"]["tool0"]["properties"]["to"] == {"$ref": "#/$defs/tool0/$defs/city"}


def test_the_text_of_an_answer_is_shown_while_its_json_is_written() -> None:
    reader = AnswerReader()
    written = '{"text": "It \\u00fcbt \\ud83d\\ude00\\n!"}'
    assert "".join(reader.feed(each) for each in written) == "It übt 😀\n!"
    assert reader.feed("more") == ""
