"""`make pictures [MINUTES=4]`: what each panel of the dashboards shows of a home under load, drawn.

The home runs the packaged embedding model and scripted chat models, which answer at a steady pace, so that the pictures
are of the platform and not of the processor. Calls of the mix of `load_mix` come and go in waves; beside them, every
minute, comes all that dashboards are for: refusals, budgets, a model that is away, a restart. A real Prometheus looks
every other second and is then asked each panel's own query. `REDRAW=1` draws again from what was seen last.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import math
import os
import re
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import httpx2
import yaml
from tests.support.all_kinds import SETTINGS, Load, write_models
from tests.support.calling_model import calling_model
from tests.support.prometheus import PROMETHEUS, Prometheus, running_prometheus
from tests.support.stack import RunningHome, running_home

from benchmarks.home import RESULTS, ROOT, write_result
from benchmarks.load_mix import Callers

sys.path.insert(0, str(ROOT / "deploy" / "grafana"))

boards = importlib.import_module("build").boards
pictures = importlib.import_module("pictures")

MINUTES = float(os.environ.get("MINUTES", "4"))
WAVES = (0.5, 1.5, 3.0, 2.0, 1.0)
"""Calls a second, one after the other for equal times."""
POINTS = 75
"""A series, at most."""
PACE_SECONDS = 0.02
PERIOD = "2s"
"""Between two looks of Prometheus, and the longest that one may take."""
LEAD_SECONDS = 35.0
"""Of load before the window begins, so that rates have something to look back on."""
FOLDER = ROOT / "docs" / "dashboards"


def main() -> int:
    """The process's status: 1 where there is no Prometheus."""
    if PROMETHEUS is None:
        sys.stderr.write("Prometheus is not installed here (on Debian: apt-get install prometheus).\n")
        return 1
    if not os.environ.get("REDRAW"):
        with _watched_home() as (home, prometheus):
            since, until = _loaded(home)
            write_result("dashboards", {"seconds": until - since, "shown": _asked(prometheus, since, until)})
    seen = json.loads((RESULTS / "dashboards.json").read_text())
    FOLDER.mkdir(exist_ok=True)
    caption = f"{seen['seconds'] / 60:.0f} minutes of load on one home, as Prometheus saw it"
    window = pictures.Window(seen["seconds"], caption)
    for board in boards():
        file = FOLDER / f"{board.uid}.svg"
        file.write_text(pictures.draw(board, _series(seen["shown"][board.uid]), window))
        print(f"{file.relative_to(ROOT)}: {file.stat().st_size / 1000:.0f} kB")
    return 0


@contextmanager
def _watched_home() -> Iterator[tuple[RunningHome, Prometheus]]:
    with tempfile.TemporaryDirectory(prefix="groundwork-pictures-") as name, calling_model() as calling:
        folder = Path(name)
        settings = {**SETTINGS, "INFERENCE_MODELS_FILE": str(_models(folder / "models.yaml", calling))}
        with (
            running_home(folder / "home", settings) as home,
            running_prometheus(folder / "watch", home, PERIOD) as prometheus,
        ):
            yield home, prometheus


def _models(file: Path, calling: str) -> Path:
    """Those of the tests of the dashboards, but texts are really embedded and chat takes its time."""
    models = yaml.safe_load(write_models(file, calling).read_text())["models"]
    packaged = yaml.safe_load((ROOT / "deploy/config/models.yaml").read_text())["models"]
    minilm = next(model for model in packaged if model["kind"] == "embedding")
    kept = [model for model in models if model["kind"] != "embedding"]
    chat = next(model for model in kept if model["name"] == "scripted-chat")
    chat["source"] = {"pace_seconds": PACE_SECONDS}
    file.write_text(yaml.safe_dump({"models": [*kept, minilm | {"price": {"prompt_usd_per_million": 0.1}}]}))
    return file


def _loaded(home: RunningHome) -> tuple[float, float]:
    """Drive the home; when the window began and ended, in seconds since the epoch."""
    over = threading.Event()
    rounds = threading.Thread(target=_rounds, args=(home, over))
    try:
        return asyncio.run(_waves(home, rounds))
    finally:
        over.set()
        rounds.join()


async def _waves(home: RunningHome, rounds: threading.Thread) -> tuple[float, float]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        callers = Callers(home.base_url, home.admin_key, session)
        await callers.prepare()
        rounds.start()
        await callers.arrive(WAVES[0], LEAD_SECONDS)
        since = time.time()
        for rate in WAVES:
            await callers.arrive(rate, MINUTES * 60 / len(WAVES))
        until = time.time()
        await callers.settle(30)
    print(f"{len(callers.done)} calls of the mix, {sum(bool(one.error) for one in callers.done)} of them failed")
    return since, until


def _rounds(home: RunningHome, over: threading.Event) -> None:
    """A round of every kind of call each minute, and a restart of the retriever after the second."""
    headers = {"Authorization": f"Bearer {home.admin_key}"}
    with httpx2.Client(base_url=home.base_url, headers=headers, timeout=60) as http:
        load, number = Load(home, http), 0
        while not over.is_set():
            number += 1
            began = time.monotonic()
            load.round(number)
            if number == 2:
                home.supervisor.restart("retriever")
            print(f"round {number}: {time.monotonic() - began:.0f} s")
            over.wait(max(0.0, 45 - (time.monotonic() - began)))


def _asked(prometheus: Prometheus, since: float, until: float) -> dict[str, list[dict[str, Any]]]:
    """Of each board, each panel's series: the answers to its own queries."""
    step = (until - since) / POINTS
    found: dict[str, list[dict[str, Any]]] = {}
    for board in boards():
        found[board.uid] = [
            {
                "row": row.title,
                "panel": panel.title,
                "series": [
                    {"name": _named(query.legend, each["metric"]), "points": points}
                    for query in panel.queries
                    for each in prometheus.over(query.expr, since, until, step)
                    if (points := _points(each["values"], since))
                ],
            }
            for row in board.rows
            for panel in row.panels
        ]
    return found


def _named(legend: str, labels: dict[str, str]) -> str:
    """What Grafana would call a series."""
    return re.sub(r"{{(\w+)}}", lambda match: labels.get(match[1], ""), legend).strip()


def _points(values: list[list[Any]], since: float) -> list[tuple[float, float]]:
    """Those that are numbers: a quantile of nothing is none."""
    numbers = [(at - since, float(value)) for at, value in values]
    return [(round(at, 1), float(f"{value:.4g}")) for at, value in numbers if math.isfinite(value)]


def _series(panels: list[dict[str, Any]]) -> dict[tuple[str, str], list[Any]]:
    """As `pictures.draw` takes them."""
    return {
        (panel["row"], panel["panel"]): [pictures.Series(each["name"], each["points"]) for each in panel["series"]]
        for panel in panels
    }


if __name__ == "__main__":
    sys.exit(main())
