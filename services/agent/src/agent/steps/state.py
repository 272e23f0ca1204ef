"""What a run's graph carries from step to step. Only plain values: that is all a checkpoint is read back as."""

from __future__ import annotations

import operator
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypedDict

from agent.answering.graph import Answering
from agent.ports import Models, TokenSource
from agent.runs.leased_run import LeasedRun
from agent.settings import AgentSettings
from agent.threads.messages import Message
from agent.tools.tool import Tool
from contracts.access.delegation import Scope
from servicekit.sql.database import Database


class RunState(TypedDict, total=False):
    """The state of one run."""

    messages: Annotated[list[Message], operator.add]
    """What was said in this run."""
    earlier: list[Message]
    """What the model reads of the thread's earlier runs."""
    summary: str
    """What was said before that, in short."""
    step: int
    calls_made: int
    made: dict[str, int]
    """How often each call was made, by the fingerprint of name and arguments."""
    refused: int
    """Calls that were refused as repeated."""
    repairs: int
    decisions: dict[str, dict[str, Any]]
    """What people decided, by call."""
    asking: list[str]
    """Calls of unknown outcome that a person decides on. Its name is in stored checkpoints, so it stays."""
    deciding: bool
    """Whether a person decides on some of the calls that were asked for last."""
    raw: str
    """What the model said last, to the letter, where it has to fit a schema: what people see of it is sanitised."""
    draft: str | None
    """What the model has answered, to the letter, until it is compared with documents."""
    answer: dict[str, Any] | None
    """What documents say of the output, a `RunAnswer`."""
    grounding: Literal["strict", "annotate"] | None
    """How the draft is compared with them; None where nothing is to be compared."""
    output: str | None
    limit: str | None


@dataclass(frozen=True)
class RunContext:
    """What the nodes of a run work with."""

    run: LeasedRun
    tools: Mapping[str, Tool]
    models: Models
    tokens: TokenSource
    database: Database
    settings: AgentSettings
    answering: Answering

    async def token(self) -> str:
        """A token with the rights of the key that started the run; what it is used for is charged under the run."""
        return await self.tokens.token(self.run.row["grant_token"] or "", call_id=self.run.id)

    async def scopes(self) -> Collection[Scope] | None:
        """The scopes of that key; None if nobody says."""
        return await self.tokens.scopes(self.run.row["grant_token"] or "", call_id=self.run.id)


class PriceUnknown(Exception):
    """A run with a limit of money uses a model of which nobody knows the price."""
