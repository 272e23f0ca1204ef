"""One public call: its path, its models, who may make it, who answers it, and what guardrails look at."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import NoneType
from typing import Any, Generic, Literal, TypeVar
from urllib.parse import quote

from pydantic import BaseModel

from contracts.access.delegation import Audience, Scope
from contracts.core.base import NAME
from contracts.operations.reach import Reach

R = TypeVar("R")
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Owner = Literal["gateway", "ingest", "agent", "lab"]
Carries = Literal["json", "upload", "archive", "nothing"]
Gives = Literal["json", "text", "bytes", "events", "json_or_events", "nothing"]
MeteredRoute = Literal[
    "chat",
    "embeddings",
    "rerank",
    "reading",
    "classify",
    "moderation",
    "tokens",
    "search",
    "documents",
    "collections",
    "jobs",
    "agents",
    "mcp",
    "feedback",
    "evaluations",
    "tuning",
]
"""What a call is limited and recorded as."""

_ASKED_BY: Mapping[Owner, tuple[Audience, ...]] = {
    "ingest": ("ingest", "retriever", "inference"),
    "agent": ("agent",),
    "lab": ("lab",),
    "gateway": (),
}
_ID = re.compile(r"[A-Za-z0-9._-]{1,200}")
_PARAMETER = re.compile(r"\{(\w+)\}")
_NAMED = {
    "collections": ("collection", NAME),
    "documents": ("document", _ID),
    "pages": ("page", re.compile(r"[1-9][0-9]{0,5}")),
    "jobs": ("job", _ID),
    "agents": ("agent", NAME),
    "prompts": ("prompt", NAME),
    "versions": ("version", re.compile(r"[1-9][0-9]{0,8}")),
    "labels": ("label", NAME),
    "question-sets": ("question-set", NAME),
    "generations": ("generation", _ID),
    "evaluations": ("evaluation", _ID),
    "sweeps": ("sweep", _ID),
    "monitors": ("monitor", NAME),
    "threads": ("thread", _ID),
    "runs": ("run", _ID),
    "feedback": ("feedback", _ID),
    "reviews": ("review", _ID),
    "keys": ("key", _ID),
    "records": ("record", _ID),
    "tenants": ("tenant", NAME),
    "models": ("model", re.compile(r".+")),
    "pull": ("pull", _ID),
    "routes": ("route", re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,99}")),
    "experiments": ("route", re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,99}")),
}
"""What a path parameter names, by the segment before it, and how its values look."""


@dataclass(frozen=True, slots=True)
class Query:
    """A query parameter."""

    name: str
    schema: Mapping[str, Any]
    about: str


def string_of(values: Any) -> dict[str, Any]:
    """The schema of a query parameter that is one of a `Literal`'s values."""
    return {"type": "string", "enum": list(values.__args__)}


LIMIT = Query("limit", {"type": "integer", "minimum": 1, "maximum": 200}, "How many at once.")
MINE = Query("mine", {"type": "boolean"}, "Only what this key made itself.")
CURSOR = Query("cursor", {"type": "string"}, "`next_cursor` of the page before.")


@dataclass(frozen=True, slots=True)
class Operation(Generic[R]):
    """One public call, and the type of its reply."""

    method: Method
    path: str
    reply: type[R]
    """The model; `str` for text, `bytes` for a file, `NoneType` for no body."""
    scopes: tuple[Scope, ...]
    """A key needs one of these; with none, any key will do."""
    tags: tuple[str, ...]
    reach: Reach
    summary: str = ""
    status: int = 200
    other_statuses: tuple[int, ...] = ()
    """Successes with the same model."""
    empty_statuses: tuple[int, ...] = ()
    """Successes without a body, of a call that has one otherwise."""
    request: type[BaseModel] | None = None
    carries: Carries = "nothing"
    queries: tuple[Query, ...] = ()
    streams: Literal["never", "if_asked", "always"] = "never"
    """Whether the answer is a stream of events."""
    event: type[BaseModel] | None = None
    """What an event's `data` is, where all of them are one model."""
    end: str | None = None
    """The `data` of the event after the last of those, where one ends the stream."""
    owner: Owner = "gateway"
    """The service that answers. The gateway passes calls of others on, under the same path."""
    name: str = ""
    """Of a call that the gateway answers: its id in the OpenAPI document."""
    is_open: bool = False
    """Whether it needs no key."""
    also_for: tuple[Audience, ...] = ()
    """Of a call that is passed on: who may take its token, beyond the owner and those that the owner always asks."""
    route: MeteredRoute | None = None
    """Set where the call is limited and recorded: on all that change something."""
    grant: bool = False
    """Whether the call starts work that goes on after it, which needs a grant."""
    spends: bool = False
    """Whether it queues what is embedded, and charged, later: it is not begun when a budget has nothing left."""
    idempotent: bool = False
    """Whether it honours `Idempotency-Key`."""
    ends_epoch: bool = False
    """Whether it brings an earlier state back, or changes what answers are asked with, so that no cached answer may be
    given again."""
    finishes: bool = False
    """Whether what follows it at the gateway (the audit log, cached answers, records) is done though its caller has
    left. Its answer is whole, and small."""
    cites: bool = False
    """Whether its bodies may have citations: their links are paths where they are kept, and begin at the address that
    the caller used where they are sent."""
    own_origin: bool = False
    """Whether a browser may call it only from a page of the gateway itself, or of an origin that settings name."""
    own_errors: tuple[int, ...] = ()
    """Statuses of errors that have the form of the call's replies and pass as they are: JSON-RPC's."""

    @property
    def id(self) -> str:
        """`"GET /v1/jobs"`, as no other."""
        return f"{self.method} {self.path}"

    @property
    def audiences(self) -> tuple[Audience, ...]:
        """Who may take the token of a call that is passed on."""
        return (*_ASKED_BY[self.owner], *self.also_for)

    @property
    def gives(self) -> Gives:
        """How the answer comes."""
        if self.streams != "never":
            return "events" if self.streams == "always" else "json_or_events"
        forms: dict[Any, Gives] = {NoneType: "nothing", str: "text", bytes: "bytes"}
        return forms.get(self.reply, "json")

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names in the path, in order."""
        return tuple(_PARAMETER.findall(self.path))

    @property
    def slashed(self) -> tuple[str, ...]:
        """The parameters whose values may have slashes, which clients write as `%2F`."""
        return tuple(name for name in self.parameters if self.parameter(name)[1].fullmatch("a/b") is not None)

    @property
    def takes_slashes(self) -> bool:
        """Whether a value in the path may have slashes."""
        return bool(self.slashed)

    def parameter(self, name: str) -> tuple[str, re.Pattern[str]]:
        """What a path parameter names (the segment before it says so), and how its values look."""
        before, _, _ = self.path.partition("{" + name + "}")
        return _NAMED[before.split("/")[-2]]

    def path_of(self, *values: str) -> str:
        """The path with values in place of its parameters, in order."""
        if len(values) != len(self.parameters):
            raise TypeError(f"{self.id} takes {self.parameters}, not {len(values)} values")
        remaining = iter(values)
        return _PARAMETER.sub(lambda _: quote(next(remaining), safe=""), self.path)
