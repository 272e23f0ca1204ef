"""`eval model`: standard benchmarks asked of a model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from groundwork.commands.api_words import in_commands
from groundwork.commands.result_files import check_files, write_result
from groundwork.commands.session import Session, progress_bar, session_of

if TYPE_CHECKING:
    from groundwork.evaluation.benchmarks.report import BenchmarkReport

NAME = "model"
TASKS = "--tasks"


def is_meant(words: Sequence[str]) -> bool:
    """Whether what follows `eval model` is about a model, and not a collection of this name."""
    return any(word.partition("=")[0] in (TASKS, "-t") for word in words) or list(words) in (["--help"], ["-h"])


def evaluate_model(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="A model; for answers in words also rag:, agent: or prompt:.")],
    tasks: Annotated[
        list[Path], typer.Option(TASKS, "-t", help="JSON lines in lm-evaluation-harness' form; again for more files.")
    ],
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many of each file, from its beginning.")] = None,
    generate: Annotated[
        bool, typer.Option("--generate", help="Show choices and read the letter that is answered: for any model.")
    ] = False,
    raw: Annotated[bool, typer.Option("--raw", help="Have the text gone on from, without a chat template.")] = False,
    delimiter: Annotated[str, typer.Option(help="Between a context and a choice.")] = " ",
    at_once: Annotated[int, typer.Option(min=1, max=32, help="Calls under way at once.")] = 4,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all figures here, task by task.")] = None,
) -> None:
    """Measure a model by standard benchmarks: multiple choice by the likelihood of each choice, answers by their words.

    Prints each measure's mean with its 95 % interval.
    """
    from groundwork.evaluation.benchmarks.report import make_report
    from groundwork.evaluation.benchmarks.scores import Method, score_all
    from groundwork.evaluation.benchmarks.tasks import read_tasks

    session = session_of(context)
    check_files(json_file)
    read = [read_tasks(path, limit) for path in tasks]
    method = Method(model, delimiter, generate, raw)
    reports: list[BenchmarkReport] = []
    with session.client() as client:
        for file in read:
            with progress_bar(session, file.name, len(file.tasks)) as advance:
                scored = score_all(client, method, file.tasks, at_once=at_once, progress=advance)
            reports.append(make_report(file, method, scored))
    _print(session, reports)
    if json_file is not None:
        everything: dict[str, Any] = {"model": model, "tasks": [report.as_json() for report in reports]}
        write_result(json_file, json.dumps(everything, indent=2, ensure_ascii=False) + "\n")


def _print(session: Session, reports: Sequence[BenchmarkReport]) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("tasks", "measure", "mean", "95 % interval", "of"):
        table.add_column(column, justify="left" if column in ("tasks", "measure") else "right")
    for report in reports:
        for name, mean in report.means.items():
            interval = f"{mean.low:.4f} … {mean.high:.4f}"
            table.add_row(report.file.name, name, f"{mean.value:.4f}", interval, str(mean.tasks))
    session.out.print(table)
    for report in reports:
        if report.failed:
            words = f"{report.file.name}: {len(report.failed)} of {len(report.scored)} got no answer"
            session.notes.print(f"{words}: {in_commands(report.failed[0].error or '')}", style="yellow")
