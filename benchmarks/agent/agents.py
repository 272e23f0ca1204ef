"""`make bench-agents [DATA=folder] [CASES=n] [MODEL=name]`: what a run costs without a model, and how a small one acts.

The first table needs nothing: a run of 40 steps with a scripted model and the calculator, on SQLite, each commit on
disk. The second one needs the function-calling data of the Berkeley leaderboard (files `BFCL_v4_*.json` with the folder
`possible_answer`; `../shared/data/agents/bfcl` if there is one): the packaged model, or MODEL of the file that
INFERENCE_MODELS_FILE names, through `tools`, which it calls by guided decoding, beside the same model that is told the
functions in words and asked for JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2

from agent.agents import definitions
from agent.bootstrap import assemble
from agent.runs import repository as runs
from agent.settings import AgentSettings
from agent.tables import metadata
from agent.testing.fixed_tokens import FixedTokens
from agent.testing.memory_library import MemoryLibrary
from agent.testing.scripted_agents import ScriptedAgent, Turn, in_turn
from agent.testing.scripted_answers import ScriptedSearch
from agent.threads import repository as threads
from benchmarks.agent.answer_scores import share
from benchmarks.home import ROOT, Home, fresh_home, write_result
from contracts.agents.agents import AgentCreate
from servicekit.core.clock import SystemClock
from servicekit.jobs.notifier import LocalNotifier
from servicekit.jobs.tables import JobOwner
from servicekit.sql.database import Database

STEPS, REPEATS = 40, 5
SETS = ("simple_python", "multiple")
MODEL = os.environ.get("MODEL", "default")
BESIDE = ROOT.parent / "shared" / "data" / "agents" / "bfcl"


async def overhead() -> dict[str, float]:
    """Milliseconds a step of a run without its model and tools; beside it, one bare commit of a row."""
    with tempfile.TemporaryDirectory(prefix="groundwork-bench-") as name:
        database = Database.open(None, Path(name), "agent")
        async with database.write() as connection:
            await connection.run(metadata.create_all)
        spent = [await _run(database) for _ in range(REPEATS)]
        commits = [await _commit(database) for _ in range(50)]
        await database.close()
    return {
        "step_ms": statistics.median(wall for wall, _ in spent),
        "step_cpu_ms": statistics.median(cpu for _, cpu in spent),
        "commit_ms": statistics.median(commits),
    }


async def _run(database: Database) -> tuple[float, float]:
    turns = [Turn("", [("calculator", {"expression": f"{at}+1"})]) for at in range(STEPS - 1)]
    clock = SystemClock()
    opened = assemble(
        AgentSettings(),
        database,
        ScriptedSearch(),
        MemoryLibrary(),
        ScriptedAgent(in_turn(*turns, "Done.")),
        FixedTokens(),
        LocalNotifier(),
        clock,
    )
    wanted = AgentCreate.model_validate({"name": "bench", "tools": ["calculator"], "limits": {"steps": 200}})
    async with database.write() as connection:
        agent, _ = await definitions.create_agent(connection, "bench", wanted, clock.now())
        thread = await threads.create_thread(connection, threads.Viewer("bench", "k"), {}, clock.now())
        principal = JobOwner("bench", "k", "r", "grant")
        row = await runs.create_run(connection, principal, thread.id, (agent.name, agent.version), "Go.", clock.now())
    runner = opened.agents.worker.runner
    began, cpu = time.perf_counter(), time.process_time()
    work = await runner.queue.claim("bench")
    assert work is not None
    await runner.run(work, asyncio.Event())
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    async with database.read() as connection:
        ended = runs.to_run(dict(await runs.get_run(connection, thread.id, row["id"])))
    assert (ended.status, ended.steps) == ("completed", STEPS), ended
    return seconds * 1000 / STEPS, cpu * 1000 / STEPS


async def _commit(database: Database) -> float:
    began = time.perf_counter()
    async with database.write() as connection:
        await threads.create_thread(connection, threads.Viewer("bench", "k"), {}, SystemClock().now())
    return (time.perf_counter() - began) * 1000


def cases(folder: Path, most: int) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Questions with their functions, and the calls that are right."""
    for name in SETS:
        lines = (folder / f"BFCL_v4_{name}.json").read_text().splitlines()
        answers = (folder / "possible_answer" / f"BFCL_v4_{name}.json").read_text().splitlines()
        right = {one["id"]: one["ground_truth"] for one in map(json.loads, answers)}
        every = max(1, len(lines) * len(SETS) // most)
        for case in map(json.loads, lines[::every]):
            yield case, right[case["id"]]


def calling(home: Home, folder: Path, most: int) -> dict[str, dict[str, float]]:
    """How often the name and the whole call were right, by guided decoding and plainly."""
    scores: dict[str, list[tuple[bool, bool]]] = {"constrained": [], "plain": []}
    headers = {"Authorization": f"Bearer {home.key}"}
    with httpx2.Client(base_url=home.base_url, headers=headers, timeout=300) as http:
        for case, right in cases(folder, most):
            functions = [_function(one) for one in case["function"]]
            asked = case["question"][0]
            tools = [{"type": "function", "function": one} for one in functions]
            said = _ask(http, {"messages": asked, "tools": tools, "tool_choice": "required"})
            calls = [one["function"] for one in said.get("tool_calls") or ()]
            scores["constrained"].append(_score(calls[0] if calls else None, right))
            told = f'Functions: {json.dumps(functions)}\nAnswer only with JSON: {{"name": ..., "arguments": {{...}}}}'
            plain = _ask(http, {"messages": [{"role": "system", "content": told}, *asked]})
            scores["plain"].append(_score(_read(plain.get("content") or ""), right))
    return {
        name: {"cases": len(found), "name": _share(found, 0), "call": _share(found, 1)}
        for name, found in scores.items()
    }


def _ask(http: httpx2.Client, body: dict[str, Any]) -> dict[str, Any]:
    answer = http.post("/v1/chat/completions", json={"model": MODEL, "temperature": 0, "max_tokens": 160, **body})
    if answer.status_code != 200:
        return {}
    message: dict[str, Any] = answer.json()["choices"][0]["message"]
    return message


def _function(one: dict[str, Any]) -> dict[str, Any]:
    """As OpenAI has it: no dots in names, `object` for `dict`."""
    text = json.dumps(one["parameters"]).replace('"type": "dict"', '"type": "object"')
    text = text.replace('"type": "float"', '"type": "number"').replace('"type": "tuple"', '"type": "array"')
    return {"name": one["name"].replace(".", "_"), "description": one["description"], "parameters": json.loads(text)}


def _read(text: str) -> dict[str, Any] | None:
    found = re.search(r"\{.*\}", text, re.DOTALL)
    try:
        value = json.loads(found.group()) if found else None
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _score(call: dict[str, Any] | None, right: list[dict[str, Any]]) -> tuple[bool, bool]:
    """Whether the name is right, and whether the arguments are, too: each is one of its accepted values."""
    if call is None:
        return False, False
    arguments = call.get("arguments")
    if isinstance(arguments, str):
        arguments = _read(arguments)
    for one in right:
        for name, accepted in one.items():
            if str(call.get("name")) != name.replace(".", "_"):
                continue
            fits = isinstance(arguments, dict) and set(arguments) <= set(accepted)
            fits = fits and all(
                arguments[key] in values if key in arguments else "" in values for key, values in accepted.items()
            )
            return True, bool(fits)
    return False, False


def _share(found: list[tuple[bool, bool]], at: int) -> float:
    return sum(one[at] for one in found) / max(1, len(found))


def main() -> None:
    cost = asyncio.run(overhead())
    print(f"a step without model and tools: {cost['step_ms']:.1f} ms ({cost['step_cpu_ms']:.1f} ms of processor)")
    print(f"one bare commit: {cost['commit_ms']:.1f} ms")
    result: dict[str, Any] = {"overhead": cost}
    data = os.environ.get("DATA") or (str(BESIDE) if BESIDE.is_dir() else None)
    if data:
        with fresh_home() as home:
            result["calling"] = calling(home, Path(data), int(os.environ.get("CASES", "40")))
        for name, scores in result["calling"].items():
            cases_ = int(scores["cases"])
            name_, call = (share(round(scores[key] * cases_), cases_) for key in ("name", "call"))
            print(f"{name:12} {cases_} cases, name {name_}, whole call {call}")
    write_result("agents", result)


if __name__ == "__main__":
    main()
