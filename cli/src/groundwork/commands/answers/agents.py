"""`groundwork agent …`: define agents, run them, decide on what they want to do."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.text import Text

from contracts.agents.runs import Decision, PendingToolCall, Run, RunEvent
from groundwork.client import Groundwork
from groundwork.client.deadlines import AWAY_SECONDS
from groundwork.commands.answers.definitions import read_definition, sendable
from groundwork.commands.api_words import in_commands
from groundwork.commands.session import Session, session_of
from groundwork.errors import ApiError, GroundworkError

commands = typer.Typer(name="agent", no_args_is_help=True, help="Agents: tools, limits, approvals.")
SHOWN_CHARS = 300
ApproveOption = Annotated[bool, typer.Option("--approve", help="Approve every call without asking.")]
ThreadOption = Annotated[str | None, typer.Option("--thread", "-t", help="Go on with this thread.")]


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    app.add_typer(commands)


@commands.command()
def save(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="YAML or JSON with model, instructions, tools, limits, approval.")],
    name: Annotated[str | None, typer.Option(help="Instead of the file's own name.")] = None,
) -> None:
    """Save an agent; a changed definition is a new version."""
    content = read_definition(file)
    content.pop("tenant", None)
    chosen = name or str(content.pop("name", file.stem))
    content.pop("name", None)
    session = session_of(context)
    with session.client() as client:
        agent = client.agents.save(chosen, content)
    session.out.print(f"{agent.name} version {agent.version}")


@commands.command("list")
def listed(context: typer.Context) -> None:
    """List agents."""
    session = session_of(context)
    with session.client() as client:
        for agent in client.agents.list():
            if agent.withheld:
                session.out.print(f"{agent.name}\tversion {agent.version}\tmade by another key")
                continue
            tools = ", ".join(tool.type for tool in agent.tools) or "no tools"
            session.out.print(f"{agent.name}\tversion {agent.version}\t{agent.model}\t{tools}")


@commands.command()
def activate(
    context: typer.Context,
    agent: Annotated[str, typer.Argument(help="Which agent.")],
    version: Annotated[int, typer.Argument(min=1, help="Its version.")],
) -> None:
    """Make a version of an agent the current one."""
    session = session_of(context)
    with session.client() as client:
        session.out.print(f"{agent} version {client.agents.activate(agent, version).version}")


@commands.command()
def rollback(context: typer.Context, agent: Annotated[str, typer.Argument(help="Which agent.")]) -> None:
    """Make the version before the current one the current one."""
    session = session_of(context)
    with session.client() as client:
        session.out.print(f"{agent} version {client.agents.rollback(agent).version}")


@commands.command()
def run(
    context: typer.Context,
    agent: Annotated[str, typer.Argument(help="Which agent.")],
    text: Annotated[str, typer.Argument(help="What it is to do.")],
    thread: ThreadOption = None,
    approve: ApproveOption = False,
) -> None:
    """Run an agent and show what it does as it does it; Ctrl-C cancels the run. Exit status 1 unless it completes."""
    session = session_of(context)
    with session.client() as client:
        thread_id = thread or client.threads.create().id
        ended = _followed(session, client, client.runs.start(thread_id, agent, text), approve)
    _end(session, ended)


@commands.command()
def replay(
    context: typer.Context,
    thread: Annotated[str, typer.Argument(help="The thread.")],
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="The run, which has ended.")],
    after: Annotated[int, typer.Option(min=0, help="Go on after this step of it; 0 is its beginning.")],
    text: Annotated[str | None, typer.Option("--input", help="Say this there; with 0, not what it was asked.")] = None,
    version: Annotated[str | None, typer.Option("--agent-version", help="A number, or 'current'.")] = None,
    approve: ApproveOption = False,
) -> None:
    """Run an agent again from a step of a run, on a new thread, and show what it does. What the run did until then is
    taken over, not done again; what comes after it is done again, side effects included."""
    chosen = None if version is None else _version(version)
    session = session_of(context)
    with session.client() as client:
        begun = client.runs.replay(thread, run_id, after, text, agent_version=chosen)
        ended = _followed(session, client, begun, approve)
    _end(session, ended)


@commands.command()
def events(
    context: typer.Context,
    thread: Annotated[str, typer.Argument(help="The thread.")],
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="The run.")],
    after: Annotated[int, typer.Option(min=0, help="Only events after this one.")] = 0,
) -> None:
    """Print a run's events as JSON lines, from any of them on, to its last."""
    session = session_of(context)
    with session.client() as client:
        for event in client.runs.events(thread, run_id, after=after, away=partial(_away, session)):
            session.write(event.model_dump_json())


@commands.command()
def cancel(
    context: typer.Context,
    thread: Annotated[str, typer.Argument(help="The thread.")],
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="The run.")],
) -> None:
    """Cancel a run."""
    session = session_of(context)
    with session.client() as client:
        session.out.print(client.runs.cancel(thread, run_id).status)


@commands.command()
def history(context: typer.Context, thread: Annotated[str, typer.Argument(help="The thread.")]) -> None:
    """Show what was said on a thread."""
    session = session_of(context)
    with session.client() as client:
        for said in client.threads.history(thread):
            calls = "".join(f"\n  → {one.name}({json.dumps(one.arguments)})" for one in said.tool_calls or ())
            session.out.print(said.role, style="bold", end="")
            session.write(f": {said.content}{calls}")


def _version(text: str) -> int | Literal["current"]:
    if text == "current":
        return "current"
    if not text.isdecimal():
        raise typer.BadParameter("Give the number of a version, or 'current'.", param_hint="--agent-version")
    return int(text)


def _followed(session: Session, client: Groundwork, run: Run, approve: bool) -> Run:
    """The run as it ended, shown until then; Ctrl-C cancels it."""
    session.notes.print(f"thread {run.thread_id}  run {run.id}")
    try:
        _follow(session, client, run, approve)
    except (KeyboardInterrupt, typer.Abort):  # a prompt makes the second of the first
        client.runs.cancel(run.thread_id, run.id)
        session.notes.print("Cancelled.")
    return client.runs.get(run.thread_id, run.id)


def _end(session: Session, run: Run) -> None:
    _summary(session, run)
    if run.status != "completed":
        raise typer.Exit(1)


def _follow(session: Session, client: Groundwork, run: Run, approve: bool) -> None:
    step: int | None = None
    for event in client.runs.events(run.thread_id, run.id, timeout=86_400, away=partial(_away, session)):
        if event.type == "token":
            if step is not None and step != event.step:
                session.write("")
            step = event.step
            session.write(event.data["text"], end="")
        elif event.type == "run.waiting_approval":
            _decide(session, client, run, approve)
        else:
            _note(session, event)
    if step is not None:
        session.write("")


def _away(session: Session, error: GroundworkError) -> None:
    """Say once that the server is gone, so that nobody takes that for a silent model."""
    sentence = f"{error} Trying again for up to {AWAY_SECONDS:.0f} s; Ctrl-C ends it."
    session.notes.print(sentence, style="yellow", soft_wrap=True)


def _note(session: Session, event: RunEvent) -> None:
    data = event.data
    if event.type == "tool_call":
        session.notes.print(f"\n→ {data['name']}({json.dumps(data['arguments'])})", style="cyan", soft_wrap=True)
    elif event.type == "tool_result":
        mark = ("✗", "red") if data["failed"] else ("✓", "green")
        session.notes.print(Text.assemble(mark, f" {data['content'][:SHOWN_CHARS]}"), soft_wrap=True)
    elif event.type == "run.restarted":
        session.notes.print("(taken up again)", style="yellow")


def _decide(session: Session, client: Groundwork, run: Run, approve: bool) -> None:
    now = client.runs.get(run.thread_id, run.id)
    if now.status != "waiting_approval":
        return  # an older event, replayed: it is decided
    if not approve and not sys.stdin.isatty():
        session.notes.print("The run waits for approval. Give --approve, or decide with the API's `resume`.")
        raise typer.Exit(1)
    while True:  # a person is told which arguments do not fit, and asked again
        decisions = [_decision(session, call, approve) for call in now.pending_tool_calls]
        try:
            client.runs.resume(run.thread_id, run.id, decisions)
        except ApiError as refused:
            if refused.code != "arguments_dont_fit":
                raise
            session.notes.print(str(refused), style="red", soft_wrap=True)
        else:
            return


def _decision(session: Session, call: PendingToolCall, approve: bool) -> Decision:
    why = "its outcome is unknown; approve makes it again" if call.reason == "outcome_unknown" else "approval"
    asked = f"{call.name}({json.dumps(call.arguments)})"
    session.notes.print(Text.assemble("\n", (asked, "yellow"), f" ({why})"), soft_wrap=True)
    if approve:
        return Decision(tool_call_id=call.id, action="approve")
    while True:  # what is no answer must not approve anything
        answer = typer.prompt("approve, edit or reject", err=True).strip().lower()
        if answer in ("a", "approve", "y", "yes"):
            return Decision(tool_call_id=call.id, action="approve")
        if answer in ("e", "edit"):
            return Decision(tool_call_id=call.id, action="edit", arguments=_arguments(call))
        if answer in ("r", "reject", "n", "no"):
            message = typer.prompt("what the agent is told", default="", err=True) or None
            return Decision(tool_call_id=call.id, action="reject", message=message)


def _arguments(call: PendingToolCall) -> dict[str, Any]:
    while True:
        written = typer.prompt("arguments as JSON", default=json.dumps(call.arguments), err=True)
        try:
            arguments = sendable(json.loads(written))
        except (ValueError, RecursionError):
            arguments = None
        if isinstance(arguments, dict):
            return arguments
        typer.echo('That is no JSON object. Write for example {"amount": 3}.', err=True)


def _summary(session: Session, run: Run) -> None:
    cost = "" if run.usage.cost_usd is None else f", USD {run.usage.cost_usd}"
    how = f"{run.status}{f' ({run.limit})' if run.limit else ''}"
    session.notes.print(f"{how}: {run.steps} steps, {run.tool_calls} tool calls, {run.usage.total_tokens} tokens{cost}")
    if run.error is not None:
        session.notes.print(f"{in_commands(run.error.message)} [{run.error.code}]", style="red", soft_wrap=True)
