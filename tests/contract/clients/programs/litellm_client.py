# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "litellm==1.110.2",
# ]
# ///
"""LiteLLM: chat, text completions, responses, its rerank for several vendors' shapes."""

from __future__ import annotations

import os

import litellm

litellm.suppress_debug_info = True
ASKED, TOLD = "What is the capital of France?", "The capital of France is Paris, on the Seine."
base, key = os.environ["OPENAI_BASE_URL"], os.environ["OPENAI_API_KEY"]
where = {"api_base": base, "api_key": key, "num_retries": 0}
messages = [{"role": "user", "content": ASKED}]
assert litellm.completion(model="openai/talker", messages=messages, **where).choices[0].message.content == TOLD
assert litellm.completion(model="openai/rag:handbook", messages=messages, **where).choices[0].message.content
assert litellm.text_completion(model="text-completion-openai/talker", prompt=ASKED, **where).choices[0].text == TOLD
assert litellm.responses(model="openai/talker", input=ASKED, **where).output[0].content[0].text == TOLD
for vendor in ("cohere", "jina_ai", "hosted_vllm"):
    root = os.environ["GATEWAY_URL"]
    at = {"cohere": root, "jina_ai": f"{base}/rerank", "hosted_vllm": base}[vendor]
    reply = litellm.rerank(
        model=f"{vendor}/overlap",
        query="red car",
        documents=["a blue boat", "the red car"],
        top_n=1,
        api_base=at,
        api_key=key,
    )
    assert reply.results[0]["index"] == 1, vendor
