"""`make bench-agent-answers`: does an agent that reads documents answer as `rag:` does, with the packaged parts?

Questions of the sample handbook (`EACH`, 20 of them, those without an answer last) are asked of `rag:handbook` and of
an agent with `search_documents`, by turns. Same: answered or abstained alike, in the same words.
"""

from __future__ import annotations

import os
import statistics
import time

import httpx2
from openai import OpenAI

from benchmarks.agent.answer_scores import share
from benchmarks.agent.answers_handbook import COLLECTION, HANDBOOK, questions
from benchmarks.home import fresh_home, write_result

EACH = int(os.environ.get("EACH", "20"))
AGENT = {
    "name": "reader",
    "instructions": "You answer questions about the handbook.",
    "tools": [{"type": "search_documents", "collections": [COLLECTION]}],
}


def main() -> None:
    """Ingest, ask, print what differs, keep the figures."""
    same, seconds = 0, {"rag": list[float](), "agent": list[float]()}
    asked = questions()
    asked = [*asked[: EACH - EACH // 4], *[one for one in asked if not one.answerable][: EACH // 4]]
    with fresh_home() as home:
        home.groundwork("ingest", str(HANDBOOK), "--collection", COLLECTION)
        headers = {"Authorization": f"Bearer {home.key}"}
        httpx2.post(f"{home.base_url}/v1/agents", json=AGENT, headers=headers, timeout=60).raise_for_status()
        client = OpenAI(base_url=f"{home.base_url}/v1", api_key=home.key, timeout=120, max_retries=0)
        for question in asked:
            said = {}
            for way, model in (("rag", f"rag:{COLLECTION}"), ("agent", f"agent:{AGENT['name']}")):
                started = time.perf_counter()
                answer = client.chat.completions.create(
                    model=model, messages=[{"role": "user", "content": question.question}]
                )
                seconds[way].append(time.perf_counter() - started)
                said[way] = answer.choices[0].message.content
            same += said["rag"] == said["agent"]
            if said["rag"] != said["agent"]:
                print(f"{question.question}\n  rag:   {said['rag']}\n  agent: {said['agent']}", flush=True)
    result = {"same": share(same, len(asked))}
    for way, spent in seconds.items():
        result[f"{way}: seconds, median and slowest"] = f"{statistics.median(spent):.2f} {max(spent):.2f}"
    for name, figure in result.items():
        print(f"{name:<34} {figure}")
    write_result("agent_answers", result)


if __name__ == "__main__":
    main()
