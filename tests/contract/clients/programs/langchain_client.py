# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "langchain-openai==1.7.4",
# ]
# ///
"""LangChain: chat, responses and completions models, tools, structured answers, embeddings."""

from __future__ import annotations

from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAI, OpenAIEmbeddings
from openai import BadRequestError
from pydantic import BaseModel

ASKED, TOLD = "What is the capital of France?", "The capital of France is Paris, on the Seine."


@tool
def weather(city: str) -> str:
    """Weather of a city."""
    return f"sunny in {city}"


class City(BaseModel):
    name: str


for responses in (False, True):
    model = ChatOpenAI(model="talker", max_retries=0, use_responses_api=responses)
    assert model.invoke(ASKED).text == TOLD
    assert "".join(chunk.text for chunk in model.stream(ASKED)) == TOLD
    called = model.bind_tools([weather], tool_choice="any").invoke("How is the weather?")
    assert [call["args"] for call in called.tool_calls] == [{"city": "Paris"}]
    assert isinstance(model.with_structured_output(City).invoke("A city."), City)
    cited = ChatOpenAI(model="rag:handbook", max_retries=0, use_responses_api=responses).invoke(ASKED)
    assert cited.text == "Yes. [1]"
assert cited.content[0]["annotations"], cited

completions = OpenAI(model="talker", max_retries=0)
assert completions.invoke(ASKED) == TOLD
assert [each[0].text for each in completions.generate([ASKED, "Hello"]).generations] == [TOLD, "You said: Hello"]
assert "".join(completions.stream(ASKED)) == TOLD

embeddings = OpenAIEmbeddings(model="words", check_embedding_ctx_length=False, max_retries=0)
assert len(embeddings.embed_documents(["a", "b"])) == 2
assert len(embeddings.client.create(model="words", input=[[1, 2], [3]]).data) == 2
try:
    embeddings.client.create(model="words", input=[[99_999]])
    refusal = ""
except BadRequestError as error:
    refusal = error.message
assert "check_embedding_ctx_length=False" in refusal
