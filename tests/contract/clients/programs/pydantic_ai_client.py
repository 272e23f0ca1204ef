# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "pydantic-ai-slim[openai]==2.68.0",
# ]
# ///
"""pydantic-ai: `openai:`, which asks /v1/responses, and its chat model; tools, structured answers, citations."""

from __future__ import annotations

import asyncio

from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel

ASKED, TOLD = "What is the capital of France?", "The capital of France is Paris, on the Seine."


class City(BaseModel):
    name: str


async def streamed(model: object) -> str:
    async with Agent(model).run_stream(ASKED) as result:
        return "".join([text async for text in result.stream_text(delta=True)])


async def works(kind: type[OpenAIResponsesModel] | type[OpenAIChatModel]) -> None:
    result = await Agent(kind("talker")).run(ASKED)
    assert result.output == TOLD
    assert result.usage.output_tokens > 0
    assert await streamed(kind("talker")) == TOLD
    assert (await Agent(kind("rag:handbook")).run(ASKED)).output == "Yes. [1]"
    assert await streamed(kind("rag:handbook")) == "Yes. [1]"
    acting = Agent(kind("talker"))

    @acting.tool_plain
    def weather(city: str) -> str:
        """Weather of a city."""
        return f"sunny in {city}"

    assert (await acting.run("How is the weather?")).output == "It is sunny in Paris."
    typed = await Agent(kind("talker"), output_type=NativeOutput(City)).run("A city.")
    assert isinstance(typed.output, City)


async def main() -> None:
    await works(OpenAIResponsesModel)
    await works(OpenAIChatModel)
    assert (await Agent("openai:talker").run(ASKED)).output == TOLD


asyncio.run(main())
