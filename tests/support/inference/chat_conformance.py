"""What any chat engine must do, asked through the official OpenAI client.

A subclass of `ChatConformance` gives the fixture `subject`: where the model is served, and what it can do. What it
can't do it must refuse, by name. Nothing is said about the words of an answer, so that any model can be held to it: our
own service in front of an engine, or a server that speaks OpenAI's API by itself.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import jsonschema_rs
import openai
import pytest

PATIENCE_SECONDS = 60.0
PARIS = "What is the capital of France?"
COUNT = "Please count for ever: one two three"
PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 8},
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
        "mood": {"enum": ["calm", "cross"]},
    },
    "required": ["name", "age", "mood"],
    "additionalProperties": False,
}
"""A schema whose answers are short, so that a model that talks nonsense is soon through."""
CITY: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 8}, "unit": {"enum": ["celsius", "kelvin"]}},
    "required": ["city", "unit"],
    "additionalProperties": False,
}
NOTHING: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}
WEATHER = {"type": "function", "function": {"name": "get_weather", "description": "Weather now.", "parameters": CITY}}
CLOCK = {"type": "function", "function": {"name": "get_time", "description": "Time now.", "parameters": NOTHING}}
PARAMETERS = {"get_weather": CITY, "get_time": NOTHING}
NAMED = {"type": "function", "function": {"name": "get_weather"}}


@dataclass(frozen=True)
class Capabilities:
    """What a model can do behind its engine."""

    context_length: int
    tools: bool = True
    several_calls: bool = True
    """Whether `parallel_tool_calls` may be true."""
    output_schema: bool = True
    """`response_format`: json_object and json_schema."""
    choices: bool = True
    """`n` above 1."""
    logprobs: bool = True
    penalties: bool = True
    """`frequency_penalty`, `presence_penalty`, `logit_bias`."""
    strict: bool = True
    """Whether parameters that nobody knows are refused; otherwise they go to a server that may ignore them."""
    line: int | None = 5
    """Calls that run or wait at once; one more is refused. None where the line is longer than a test likes."""


@dataclass(frozen=True)
class Subject:
    """A model that is served."""

    client: openai.AsyncOpenAI
    model: str
    can: Capabilities

    async def ask(self, text: str | list[dict[str, Any]] = PARIS, **more: Any) -> Any:
        """A whole answer, as the client reads it."""
        return await self.client.chat.completions.create(**self._body(text, more))

    async def chunks(self, text: str | list[dict[str, Any]] = PARIS, **more: Any) -> list[Any]:
        """The chunks of a streamed answer."""
        more = {"stream_options": {"include_usage": True}} | more
        return [
            chunk async for chunk in await self.client.chat.completions.create(**self._body(text, more), stream=True)
        ]

    def _body(self, text: str | list[dict[str, Any]], more: dict[str, Any]) -> dict[str, Any]:
        messages = [{"role": "user", "content": text}] if isinstance(text, str) else text
        return {"model": self.model, "messages": messages, "temperature": 0, "max_tokens": 16} | more


def subject_of(url: str, key: str, model: str, can: Capabilities) -> Subject:
    """A model behind a base URL (which ends in `/v1`). Close its client."""
    return Subject(openai.AsyncOpenAI(base_url=url, api_key=key, max_retries=0, timeout=PATIENCE_SECONDS), model, can)


async def refused(call: Any, param: str | None, code: str | None = None) -> None:
    """The call must end with 400, or 422 where the body does not match the schema, and name the parameter."""
    with pytest.raises(openai.APIStatusError) as failure:
        await call
    error = failure.value
    assert error.status_code in (400, 422), error.message
    assert param is None or (error.param or "").startswith(param), error.message
    assert code is None or error.code == code, error.message


def text_of(chunks: list[Any], index: int = 0) -> str:
    return "".join(c.delta.content or "" for chunk in chunks for c in chunk.choices if c.index == index)


def reasons_of(chunks: list[Any]) -> list[str]:
    return [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason]


def usage_of(chunks: list[Any]) -> Any:
    usages = [chunk.usage for chunk in chunks if chunk.usage]
    assert len(usages) == 1
    assert chunks[-1].usage is usages[0]
    assert usages[0].total_tokens == usages[0].prompt_tokens + usages[0].completion_tokens
    return usages[0]


def streamed_calls(chunks: list[Any]) -> list[tuple[str, str]]:
    """Names and arguments of the tool calls of a stream, put together as clients do."""
    calls: dict[int, list[str]] = {}
    for chunk in chunks:
        for choice in chunk.choices:
            for part in choice.delta.tool_calls or []:
                if part.index not in calls:
                    assert part.id
                    assert part.type == "function"
                call = calls.setdefault(part.index, ["", ""])
                call[0] += part.function.name or ""
                call[1] += part.function.arguments or ""
    return [(name, arguments) for name, arguments in calls.values()]


def check_call(name: str, arguments: str) -> None:
    """It must be one of the tools, with arguments that match its schema."""
    jsonschema_rs.validate(PARAMETERS[name], json.loads(arguments))


class ChatConformance:
    """Subclass it with a fixture `subject`."""

    async def test_a_stream_and_a_whole_answer_say_the_same(self, subject: Subject) -> None:
        chunks, whole = await subject.chunks(), await subject.ask()
        choice = whole.choices[0]
        assert text_of(chunks) == choice.message.content
        assert choice.message.role == "assistant"
        assert chunks[0].choices[0].delta.role == "assistant"
        assert reasons_of(chunks) == [choice.finish_reason]
        assert len({chunk.id for chunk in chunks}) == 1
        used = usage_of(chunks)
        assert (used.prompt_tokens, used.completion_tokens) == (
            whole.usage.prompt_tokens,
            whole.usage.completion_tokens,
        )

    async def test_usage_is_streamed_only_if_it_is_asked_for(self, subject: Subject) -> None:
        chunks = await subject.chunks(stream_options=openai.omit, max_tokens=2)
        assert all(chunk.usage is None for chunk in chunks)

    @pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
    async def test_an_answer_is_cut_at_its_limit_and_says_so(self, subject: Subject, field: str) -> None:
        whole = await subject.ask(COUNT, **{"max_tokens": openai.omit, field: 3})
        assert whole.choices[0].finish_reason == "length"
        assert whole.usage.completion_tokens == 3

    async def test_a_stop_string_ends_the_answer_and_is_not_shown(self, subject: Subject) -> None:
        free = (await subject.ask()).choices[0].message.content
        stop = free.split()[1]
        chunks = await subject.chunks(stop=["never said", stop])
        assert text_of(chunks) == free.partition(stop)[0]
        assert reasons_of(chunks) == ["stop"]
        assert 0 < usage_of(chunks).completion_tokens <= 16

    async def test_a_prompt_longer_than_the_context_is_refused_before_the_first_piece(self, subject: Subject) -> None:
        long = "word " * (subject.can.context_length * 2)
        for stream in (False, True):
            await refused(subject.ask(long, stream=stream), "messages", "context_length_exceeded")

    async def test_several_choices_are_counted_together(self, subject: Subject) -> None:
        if not subject.can.choices:
            await refused(subject.ask(n=2), "n")
            return
        one = await subject.ask(max_tokens=4)
        whole = await subject.ask(n=3, max_tokens=4, temperature=1)
        assert [choice.index for choice in whole.choices] == [0, 1, 2]
        assert all(choice.message.content and choice.finish_reason for choice in whole.choices)
        assert whole.usage.prompt_tokens == one.usage.prompt_tokens
        assert whole.usage.completion_tokens == 12
        chunks = await subject.chunks(n=2, max_tokens=4)
        assert text_of(chunks, 0) == text_of(chunks, 1) == one.choices[0].message.content
        assert reasons_of(chunks) == ["length", "length"]
        assert usage_of(chunks).completion_tokens == 8

    async def test_the_same_seed_gives_the_same_answer(self, subject: Subject) -> None:
        asked = {"temperature": 1.2, "top_p": 0.9, "seed": 7, "max_tokens": 8}
        first, again = [await subject.ask("Tell me a story.", **asked) for _ in range(2)]
        assert first.choices[0].message.content == again.choices[0].message.content

    async def test_logprobs_belong_to_the_tokens_of_the_text(self, subject: Subject) -> None:
        if not subject.can.logprobs:
            await refused(subject.ask(logprobs=True), "logprobs")
            return
        whole = await subject.ask(logprobs=True, top_logprobs=3, max_tokens=6)
        content = whole.choices[0].logprobs.content
        assert len(content) == whole.usage.completion_tokens
        assert b"".join(bytes(token.bytes) for token in content).decode() == whole.choices[0].message.content
        for token in content:
            assert token.logprob <= 0
            likeliest = [other.logprob for other in token.top_logprobs]
            assert 1 <= len(likeliest) <= 3
            assert likeliest == sorted(likeliest, reverse=True)
            assert token.top_logprobs[0].token == token.token  # at temperature 0
        chunks = await subject.chunks(logprobs=True, max_tokens=6)
        streamed = [t for chunk in chunks for c in chunk.choices if c.logprobs for t in c.logprobs.content]
        assert [token.token for token in streamed] == [token.token for token in content]
        assert all(token.top_logprobs == [] for token in streamed)

    async def test_penalties_and_biases_are_taken_in_their_ranges(self, subject: Subject) -> None:
        if not subject.can.penalties:
            await refused(subject.ask(frequency_penalty=1), "frequency_penalty")
            return
        whole = await subject.ask(frequency_penalty=1.5, presence_penalty=-0.5, logit_bias={"11": -100}, max_tokens=4)
        assert whole.choices[0].message.content
        await refused(subject.ask(frequency_penalty=3), "frequency_penalty")

    async def test_a_json_object_is_one(self, subject: Subject) -> None:
        shape = {"type": "json_object"}
        if not subject.can.output_schema:
            await refused(subject.ask(response_format=shape), "response_format")
            return
        whole = await subject.ask("Reply with {} as JSON.", response_format=shape, max_tokens=48)
        choice = whole.choices[0]
        assert choice.message.content.lstrip().startswith("{")
        if choice.finish_reason == "stop":
            assert isinstance(json.loads(choice.message.content), dict)

    async def test_an_answer_has_the_schema_that_was_asked_for(self, subject: Subject) -> None:
        shape = {"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON, "strict": True}}
        if not subject.can.output_schema:
            await refused(subject.ask(response_format=shape), "response_format")
            return
        asked = {"response_format": shape, "max_tokens": 64}
        whole, chunks = await subject.ask("Describe Ada.", **asked), await subject.chunks("Describe Ada.", **asked)
        for text in (whole.choices[0].message.content, text_of(chunks)):
            jsonschema_rs.validate(PERSON, json.loads(text))
        assert whole.choices[0].finish_reason == "stop"
        assert reasons_of(chunks) == ["stop"]

    @pytest.mark.parametrize(
        "schema", [{"type": "objekt"}, {"type": "string", "pattern": "("}, {"$ref": "#/nowhere"}, {"properties": 3}]
    )
    async def test_a_schema_that_is_none_is_refused(self, subject: Subject, schema: Any) -> None:
        shape = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
        await refused(subject.ask(response_format=shape), "response_format")
        tool = {"type": "function", "function": {"name": "x", "parameters": schema}}
        await refused(subject.ask(tools=[tool]), "tools")

    @pytest.mark.parametrize("choice", ["required", NAMED])
    async def test_a_tool_is_called_with_arguments_that_match_its_schema(self, subject: Subject, choice: Any) -> None:
        asked = {"tools": [WEATHER, CLOCK], "tool_choice": choice, "max_tokens": 64}
        if not subject.can.tools:
            await refused(subject.ask(**asked), "tool")
            return
        whole = await subject.ask("What is the weather in Oslo?", **asked)
        message = whole.choices[0].message
        assert not message.content
        assert all(call.id and call.type == "function" for call in message.tool_calls)
        chunks = await subject.chunks("What is the weather in Oslo?", **asked)
        calls = [(call.function.name, call.function.arguments) for call in message.tool_calls]
        for name, arguments in (*calls, *streamed_calls(chunks)):
            check_call(name, arguments)
            assert choice == "required" or name == "get_weather"
        assert len(streamed_calls(chunks)) >= 1
        assert not text_of(chunks)
        # OpenAI itself ends a call that was named with "stop"; so do some servers.
        assert {whole.choices[0].finish_reason, *reasons_of(chunks)} <= {"tool_calls", "stop"}
        assert usage_of(chunks).completion_tokens > 0

    async def test_a_call_ends_though_its_schema_does_not_close_its_object(self, subject: Subject) -> None:
        if not subject.can.tools:
            return
        opened = {key: CITY[key] for key in ("type", "properties", "required")}
        tool = WEATHER | {"function": {**WEATHER["function"], "parameters": opened}}
        whole = await subject.ask("Is it cold?", tools=[tool], tool_choice="required", max_tokens=64)
        check_call("get_weather", whole.choices[0].message.tool_calls[0].function.arguments)

    async def test_a_call_that_is_cut_is_given_as_far_as_it_came(self, subject: Subject) -> None:
        if not subject.can.tools:
            return
        asked = {"tools": [WEATHER], "tool_choice": NAMED, "max_tokens": 4}
        whole = (await subject.ask("Is it cold?", **asked)).choices[0]
        [call] = whole.message.tool_calls
        [(name, _)] = streamed_calls(await subject.chunks("Is it cold?", **asked))
        assert {call.function.name, name} == {"get_weather"}
        assert whole.finish_reason != "length" or len(call.function.arguments) < len('{"city": "Oslo", "unit": "a"}')

    async def test_a_model_that_may_call_tools_either_does_or_answers(self, subject: Subject) -> None:
        if not subject.can.tools:
            await refused(subject.ask(tools=[WEATHER]), "tool")
            return
        for more in ({}, {"tool_choice": "auto"}):
            whole = await subject.ask("Say hello.", tools=[WEATHER, CLOCK], max_tokens=64, **more)
            message = whole.choices[0].message
            for call in message.tool_calls or []:
                check_call(call.function.name, call.function.arguments)
            assert message.tool_calls or message.content
        chunks = await subject.chunks("Say hello.", tools=[WEATHER, CLOCK], max_tokens=64)
        for name, arguments in streamed_calls(chunks):
            check_call(name, arguments)
        assert streamed_calls(chunks) or text_of(chunks)

    async def test_a_model_that_must_not_call_tools_does_not(self, subject: Subject) -> None:
        if not subject.can.tools:
            return
        whole = await subject.ask(tools=[WEATHER], tool_choice="none")
        assert whole.choices[0].message.content
        assert not whole.choices[0].message.tool_calls

    async def test_several_calls_come_only_if_they_are_allowed(self, subject: Subject) -> None:
        if not (subject.can.tools and subject.can.several_calls):
            return
        asked = {"tools": [WEATHER, CLOCK], "tool_choice": "required", "max_tokens": 128}
        one = await subject.ask("Weather and time in Oslo?", parallel_tool_calls=False, **asked)
        assert len(one.choices[0].message.tool_calls) == 1
        several = await subject.ask("Weather and time in Oslo?", parallel_tool_calls=True, **asked)
        assert len({call.id for call in several.choices[0].message.tool_calls or []}) == len(
            several.choices[0].message.tool_calls or []
        )
        for call in several.choices[0].message.tool_calls or []:
            check_call(call.function.name, call.function.arguments)

    async def test_a_tools_result_can_be_answered(self, subject: Subject) -> None:
        call = {"id": "call_1", "type": "function", "function": {"name": "get_time", "arguments": "{}"}}
        messages = [
            {"role": "user", "content": "What time is it?"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": "12:30"},
        ]
        if not subject.can.tools:
            await refused(subject.ask(messages), "messages.1.tool_calls")
            return
        whole = await subject.ask(messages, tools=[CLOCK], tool_choice="none")
        assert whole.choices[0].message.content

    @pytest.mark.parametrize(
        ("more", "param"),
        [
            ({"top_logprobs": 2}, "top_logprobs"),
            ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
            ({"tools": [{"type": "function", "function": {"description": "no name"}}]}, "tools"),
            ({"tools": [WEATHER], "tool_choice": {"type": "function", "function": {"name": "no_such"}}}, "tool_choice"),
            ({"response_format": {"type": "sculpture"}}, "response_format"),
            ({"max_tokens": -1}, "max_tokens"),
            ({"temperature": 3}, "temperature"),
            ({"n": 0}, "n"),
        ],
    )
    async def test_what_makes_no_sense_is_refused_by_name(
        self, subject: Subject, more: dict[str, Any], param: str
    ) -> None:
        await refused(subject.ask(**more), param if subject.can.strict else None)

    @pytest.mark.parametrize("field", ["frobnicate", "audio", "verbosity"])
    async def test_what_nobody_knows_is_refused_where_it_would_be_ignored(self, subject: Subject, field: str) -> None:
        if subject.can.strict:
            await refused(subject.ask(extra_body={field: "high"}), field, "unsupported_parameter")

    async def test_a_picture_is_refused_by_a_model_that_reads_text(self, subject: Subject) -> None:
        picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
        messages = [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, picture]}]
        await refused(subject.ask(messages), "messages.0.content" if subject.can.strict else None)

    async def test_calls_that_are_given_up_free_their_places(self, subject: Subject) -> None:
        for _ in range(3):
            stream = await subject.client.chat.completions.create(
                model=subject.model, messages=[{"role": "user", "content": COUNT}], max_tokens=200, stream=True
            )
            async for _ in stream:
                break
            await stream.close()
        calls = [asyncio.create_task(subject.ask(COUNT, max_tokens=200)) for _ in range(2)]
        await asyncio.sleep(0.05)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await subject.ask(max_tokens=1)

    async def test_calls_beyond_the_line_are_refused_with_a_time_to_come_back(self, subject: Subject) -> None:
        if subject.can.line is None:
            return
        calls = [subject.ask(COUNT, max_tokens=4) for _ in range(subject.can.line + 7)]
        results = await asyncio.gather(*calls, return_exceptions=True)
        failed = [result for result in results if isinstance(result, openai.APIStatusError)]
        assert {error.status_code for error in failed} == {429}
        assert all(int(error.response.headers["Retry-After"]) >= 1 for error in failed)
        assert len(results) > len(failed) > 0
