"""`eval`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer
from rich.table import Table
from typer.core import TyperGroup

from contracts.documents.documents import Document
from contracts.retrieval.collections import Collection
from contracts.retrieval.search import SearchMode
from groundwork.client import Groundwork
from groundwork.commands.answers import benchmarks, sweeps
from groundwork.commands.answers.question_sets import set_reference
from groundwork.commands.collection_choice import called
from groundwork.commands.result_files import CannotWrite, check_files, write_result
from groundwork.commands.session import Session, progress_bar, session_of
from groundwork.errors import GroundworkError, QuestionsInvalid

if TYPE_CHECKING:
    from groundwork.evaluation.baseline import Baseline
    from groundwork.evaluation.questions import Question
    from groundwork.evaluation.report import Report
    from groundwork.evaluation.searches import Found, Way
    from groundwork.evaluation.significance import Comparison

MODES: tuple[SearchMode, ...] = get_args(SearchMode)
SET = "set:"
"""Begins what names a question set on the server."""
Questions = Annotated[
    Path,
    typer.Argument(
        help="JSON lines with questions and their relevant documents, a folder as BEIR has it, or set:NAME[@N]."
    ),
]
Recall = Annotated[
    list[int] | None, typer.Option("--recall", "-k", min=1, max=100, help="Depth of recall; may be repeated.")
]
AllowMissing = Annotated[
    bool, typer.Option("--allow-missing", help="Count documents that the collection lacks as not found.")
]
Against = Annotated[
    str | None,
    typer.Option(callback=called, help="Search this collection with the same documents, too, and compare the two."),
]
BaselineFile = Annotated[
    Path | None, typer.Option("--baseline", help="What an earlier --json wrote: say whether it is better now.")
]
Gate = Annotated[
    list[str] | None,
    typer.Option(
        "--gate",
        help="With --baseline: exit 1 where this measure is significantly worse, 2 where that can't be told; again for "
        "more.",
    ),
]
SEARCHES = "searches"
UNFINISHED = ("queued", "processing")


class _SearchesByDefault(TyperGroup):
    """`eval COLLECTION QUESTIONS` measures searches, of a collection called `model` or `sweep` too; `eval model MODEL
    --tasks` a model; `eval sweep COLLECTION SET --set` tries settings."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        meant = {benchmarks.NAME: benchmarks.is_meant, sweeps.NAME: sweeps.is_meant}
        named = args and (args[0] == SEARCHES or (args[0] in meant and meant[args[0]](args[1:])))
        if args and not named and args != ["--help"] and args != ["-h"]:
            args = [SEARCHES, *args]
        return super().parse_args(ctx, args)


class NothingToEvaluate(GroundworkError):
    """The collection, or the way to search, leaves nothing to measure."""


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    group = typer.Typer(
        cls=_SearchesByDefault,
        no_args_is_help=True,
        help="Measure searches of a collection (`eval COLLECTION QUESTIONS`), or a model; try settings.",
    )
    group.command(SEARCHES)(evaluate)
    group.command(benchmarks.NAME)(benchmarks.evaluate_model)
    group.command(sweeps.NAME)(sweeps.start)
    app.add_typer(group, name="eval")


def evaluate(
    context: typer.Context,
    collection: Annotated[str, typer.Argument(callback=called, help="The collection to search.")],
    questions: Questions,
    modes: Annotated[str, typer.Option(help="Which modes to measure, with commas between.")] = ",".join(MODES),
    rerank: Annotated[bool, typer.Option("--rerank", help="Measure reranked hybrid search, too.")] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Switch rerank on if it is significantly better.")] = False,
    recall: Recall = None,
    at_once: Annotated[int, typer.Option(min=1, max=32, help="Searches under way at once.")] = 4,
    allow_missing: AllowMissing = False,
    against: Against = None,
    baseline: BaselineFile = None,
    gate: Gate = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all figures here, by question.")] = None,
    plot_file: Annotated[Path | None, typer.Option("--plot", help="Draw the result into this .svg file.")] = None,
) -> None:
    """Measure how well searches of a collection find the documents that answer your questions.

    Prints nDCG@10, recall and MRR by mode, and whether the modes' differences may be luck.
    """
    from groundwork.evaluation.report import NDCG_AT, make_report
    from groundwork.evaluation.rerank_switch import apply_rerank

    session = session_of(context, gates=gate)
    _check_files(json_file, plot_file)
    recall_at, ways = sorted(set(recall or (5, 10, 20))), _ways(modes, rerank=rerank, apply=apply)
    judge = _judge(session, baseline, gate or [])
    read = _read(questions)
    with session.client() as client:
        about, read = ({}, read) if read else _of_set(client, str(questions))
        judge.check(about)
        shown, _ = client.collections.get(collection), against and client.collections.get(against)
        asked = _answerable(session, client, shown, read, allow_missing=allow_missing)
        search = partial(_ask, session, client, asked=asked, ways=ways, depth=max(NDCG_AT, *recall_at), at_once=at_once)
        found = search(collection) | ({} if against is None else _named(search(against), against))
        report = make_report(collection, asked, len(read) - len(asked), found, recall_at)
        _print(session, report, shown, at_once)
        _write(report, shown, about, json_file, plot_file)
        if apply:
            session.out.print(f"\n{apply_rerank(client, shown, report)}")
        judge(report)


def _read(questions: Path) -> list[Question]:
    """Of a file or folder, before anything is asked; nothing of a set, which the server has."""
    from groundwork.evaluation.questions import read_questions

    return [] if str(questions).startswith(SET) else read_questions(questions)


def _of_set(client: Groundwork, name: str) -> tuple[dict[str, Any], list[Question]]:
    """What a result says of a set's version, and its questions."""
    from groundwork.evaluation.questions import set_questions

    which, version = set_reference(name.removeprefix(SET))
    found = client.question_sets.get(which, version)
    about = {"name": which, "version": found.version, "digest": found.digest}
    records = client.question_sets.questions(which, found.version)
    return {"question_set": about}, set_questions(f"{SET}{which}@{found.version}", records)


@dataclass(frozen=True, slots=True)
class _Judge:
    """Says how a report stands against an earlier one, and ends with 1 where a gate is missed."""

    session: Session
    baseline: Baseline | None
    gates: list[str]

    def check(self, about: dict[str, Any]) -> None:
        """Before anything is asked: whether a gate would compare the same questions."""
        if self.baseline is not None and self.gates:
            self.baseline.check_version(about.get("question_set", {}).get("digest"))

    def __call__(self, report: Report) -> None:
        from groundwork.evaluation.report import MAIN

        if self.baseline is None:
            return
        verdicts = self.baseline.verdicts(report, self.gates or [MAIN])
        shared = len(self.baseline.shared(report))
        if shared < max(len(report.questions), len(self.baseline.queries)):
            words = f"{shared} questions are in both: {len(report.questions)} here, {len(self.baseline.queries)} then."
            self.session.notes.print(words, style="yellow")
        self.session.out.print()
        for verdict in verdicts:
            self.session.out.print(verdict.words)
        if self.gates and any(verdict.is_worse for verdict in verdicts):
            raise typer.Exit(1)


def _judge(session: Session, file: Path | None, gates: list[str]) -> _Judge:
    from groundwork.evaluation.baseline import read_baseline

    if file is None and gates:
        raise NothingToEvaluate("--gate compares with an earlier result: add --baseline FILE.")
    return _Judge(session, None if file is None else read_baseline(file), gates)


def _named(found: dict[str, Found], collection: str) -> dict[str, Found]:
    return {f"{name} in {collection}": each for name, each in found.items()}


def _ways(modes: str, *, rerank: bool, apply: bool) -> list[Way]:
    from groundwork.evaluation.searches import Way

    ways = [Way(each) for each in _modes(modes)] + ([Way("hybrid", rerank=True)] if rerank else [])
    if apply and not (rerank and Way("hybrid") in ways):
        raise NothingToEvaluate(
            "--apply compares reranked with plain hybrid search: add --rerank, and hybrid to --modes."
        )
    return ways


def _modes(names: str) -> list[SearchMode]:
    given = dict.fromkeys(name.strip() for name in names.split(",") if name.strip())
    if not given or not set(given) <= set(MODES):
        raise NothingToEvaluate(f"--modes '{names}' names no modes, or others than {', '.join(MODES)}.")
    return [mode for mode in MODES if mode in given]


def _answerable(
    session: Session, client: Groundwork, shown: Collection, read: list[Question], *, allow_missing: bool
) -> list[Question]:
    """The questions with a relevant document, as ids of the collection's documents."""
    from groundwork.evaluation.relevance import KnownDocuments, resolve

    asked = [question for question in read if question.relevant]
    if not asked:
        raise QuestionsInvalid("None of the questions has a relevant document, so there is nothing to measure.")
    documents: list[Document] = list(client.documents.list(shown.name))
    if not documents:
        raise NothingToEvaluate(
            f"There are no documents in '{shown.name}'. Put some in: groundwork ingest PATH… -c {shown.name}"
        )
    if unfinished := sum(document.status in UNFINISHED for document in documents):
        session.notes.print(f"{unfinished} documents are still on their way in; figures may change.", style="yellow")
    return resolve(asked, KnownDocuments(documents), allow_missing=allow_missing)


def _ask(
    session: Session,
    client: Groundwork,
    collection: str,
    asked: list[Question],
    ways: list[Way],
    depth: int,
    at_once: int,
) -> dict[str, Found]:
    from groundwork.evaluation.searches import ask_all

    with progress_bar(session, "searching", len(asked) * len(ways)) as advance:
        return ask_all(
            client,
            collection,
            asked,
            ways,
            depth=depth,
            at_once=at_once,
            progress=advance,
        )


def _print(session: Session, report: Report, shown: Collection, at_once: int) -> None:
    left_out = f" ({report.unanswerable} without one left out)" if report.unanswerable else ""
    session.out.print(
        f"{len(report.questions)} questions with a relevant document{left_out}, "
        f"{shown.documents} documents in '{shown.name}', {shown.embedding_model}\n"
    )
    session.out.print(_means(report))
    if report.comparisons:
        session.out.print()
        session.out.print(_comparisons(report.comparisons))
    session.notes.print(
        f"\n95 % intervals by bootstrap, p by a paired randomisation test: below 0.05, luck is unlikely. "
        f"ms: median of a search with {at_once} at once.",
        style="dim",
    )
    for name, result in report.results.items():
        for what, count in result.found.degraded.items():
            share = f"{count} of {len(report.questions)} searches"
            session.notes.print(f"{name}: {share} went without something: {what}.", style="yellow")


def _means(report: Report) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for number, measure in enumerate(report.measures):
        table.add_column(measure, justify="right")
        if number == 0:
            table.add_column("95 % interval")
    table.add_column("ms", justify="right")
    for name, result in report.results.items():
        cells = [f"{mean.value:.4f}" for mean in result.means.values()]
        first = next(iter(result.means.values()))
        cells.insert(1, f"{first.low:.3f} … {first.high:.3f}")
        table.add_row(name, *cells, f"{result.milliseconds:.1f}")
    return table


def _comparisons(comparisons: list[Comparison]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column(f"difference in {comparisons[0].measure}")
    for column in ("mean", "95 % interval", "p", "better", "same", "worse"):
        table.add_column(column, justify="right")
    for each in comparisons:
        table.add_row(
            f"{each.first} minus {each.second}",
            f"{each.difference:+.4f}",
            f"{each.low:+.3f} … {each.high:+.3f}",
            f"{each.p:.2g}" if each.p < 0.1 else f"{each.p:.2f}",
            *(str(count) for count in (each.wins, each.ties, each.losses)),
        )
    return table


def _check_files(json_file: Path | None, plot_file: Path | None) -> None:
    """What can't be written is said before anything is asked."""
    if plot_file is not None and plot_file.suffix.lower() != ".svg":
        raise CannotWrite(f"The plot is an SVG file, which any browser shows: name it {plot_file.with_suffix('.svg')}.")
    check_files(json_file, plot_file)


def _write(
    report: Report, shown: Collection, about: dict[str, Any], json_file: Path | None, plot_file: Path | None
) -> None:
    if json_file is not None:
        place = {"embedding_model": shown.embedding_model, "collection_revision": shown.revision}
        everything = {**place, **about, **report.as_json()}
        write_result(json_file, json.dumps(everything, indent=2, ensure_ascii=False) + "\n")
    if plot_file is not None:
        from groundwork.evaluation.plot import draw

        write_result(plot_file, draw(report))
