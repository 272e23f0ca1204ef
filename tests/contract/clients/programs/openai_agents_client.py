# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "openai-agents==0.24.0",
# ]
# ///
"""openai-agents with its default model, which asks /v1/responses: tools, streams, structured answers, citations."""

from __future__ import annotations

import asyncio

from agents import Agent, Runner, function_tool, set_tracing_disabled
from pydantic import BaseModel

set_tracing_disabled(True)
ASKED, TOLD = "What is the capital of France?", "The capital of France is Paris, on the Seine."


class City(BaseModel):
    name: str


@function_tool
def weather(city: str) -> str:
    """Weather of a city."""
    return f"sunny in {city}"


async def streamed(agent: Agent[None]) -> tuple[list[str], str]:
    run = Runner.run_streamed(agent, ASKED)
    kinds = [event.data.type async for event in run.stream_events() if event.type == "raw_response_event"]
    return kinds, str(run.final_output)


async def main() -> None:
    plain = Agent(name="plain", instructions="Be brief.", model="talker")
    result = await Runner.run(plain, ASKED)
    assert result.final_output == TOLD
    assert result.context_wrapper.usage.output_tokens > 0
    kinds, text = await streamed(plain)
    assert (text, kinds[-1]) == (TOLD, "response.completed")
    acting = Agent(name="acting", model="talker", tools=[weather])
    assert (await Runner.run(acting, "How is the weather?")).final_output == "It is sunny in Paris."
    typed = await Runner.run(Agent(name="typed", model="talker", output_type=City), "A city.")
    assert isinstance(typed.final_output, City)
    cited = await Runner.run(Agent(name="cited", instructions="Cite.", model="rag:handbook"), ASKED)
    (annotation,) = cited.new_items[0].raw_item.content[0].annotations
    assert annotation.type == "file_citation"
    used = await Runner.run(Agent(name="used", model="rag:handbook", tools=[weather]), ASKED)
    assert used.final_output == "Yes. [1]"


asyncio.run(main())
