"""Exact answers again: which calls may be answered from the cache, when an answer is still true, one work for many.

An answer is found by everything that it depends on: tenant, model, request, versions of policy and prompts. It is true
only while each model that wrote in it is still the one of that name (by its fingerprint, which the answer itself told),
and one from documents while every collection that it used has the creation time and revision that its search reported.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import structlog

from contracts.models.chat import ChatRequest
from contracts.models.receipts import Variant
from contracts.retrieval.collections import Collection
from gateway.auth.keys import Principal
from gateway.auth.tokens import COLLECTIONS, TokenIssuer
from gateway.cache.store import AnswerStore, StoreUnavailable
from gateway.metrics import CACHE
from servicekit.core.clock import Clock
from servicekit.core.identifiers import new_id
from servicekit.core.version import package_version
from servicekit.peers.client import Peer

log = structlog.get_logger(__name__)
POLL_SECONDS = 0.1
"""How often it is looked whether another replica has made an answer."""
FORM = "3"
"""Raised with every change of what an entry holds."""
_FINISHED = re.compile(rb'"finish_reason":\s*"(\w+)"')
_TOOLS = re.compile(rb'"(?:tool_calls|function_call)":\s*[\[{]')
_MAX_AGE = re.compile(r"max-age=(\d{1,9})")


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """`seconds`: how long an answer may be given again; 0 switches the cache off. `entry_bytes`: the largest kept.
    `wait_seconds`: how long a call waits for an identical one, and then works itself."""

    seconds: float
    entry_bytes: int
    wait_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class ResolvedTarget:
    """What a model's name stands for now, for one key: models in order, and the collections that an answer is from."""

    models: tuple[str, ...]
    fingerprints: Mapping[str, str | None] = field(default_factory=dict)
    """Of every model that there is now, by its name; None for one whose files are not known yet."""
    collections: tuple[str, ...] = ()
    helpers: tuple[str, ...] = ()
    """Models beside those, which embed or rank for such an answer."""
    variant: Variant | None = None
    """Of the route that the call is answered by: receipts name it."""

    def is_of_now(self, fingerprints: Mapping[str, str]) -> bool:
        """Whether models are still those that they were."""
        return all(self.fingerprints.get(name) == value for name, value in fingerprints.items())


@dataclass(frozen=True, slots=True)
class CacheControl:
    """What a caller's `Cache-Control` says."""

    may_read: bool = True
    may_store: bool = True
    max_age: float | None = None

    @classmethod
    def of(cls, header: str | None) -> CacheControl:
        """From the header; what we don't know in it means nothing."""
        text = (header or "").lower()
        age = _MAX_AGE.search(text)
        forbidden = "no-store" in text
        seconds = float(age[1]) if age else None
        return cls(not (forbidden or "no-cache" in text or seconds == 0), not forbidden, seconds)


@dataclass(frozen=True, slots=True)
class Entry:
    """An answer as it went out: its pieces and headers, when it was made, for which revisions, and by which models."""

    made_at: float
    epoch: str
    revisions: Mapping[str, str]
    model: str | None
    fingerprints: Mapping[str, str]
    headers: Mapping[str, str]
    pieces: tuple[bytes, ...]

    def text(self) -> str:
        """As it is kept. Answers are UTF-8."""
        pieces = [piece.decode() for piece in self.pieces]
        fields = [self.made_at, self.epoch, self.revisions, self.model, self.fingerprints, self.headers, pieces]
        return json.dumps(fields, ensure_ascii=False)

    @classmethod
    def read(cls, text: str) -> Entry:
        """The reverse."""
        made_at, epoch, revisions, model, fingerprints, headers, pieces = json.loads(text)
        encoded = tuple(piece.encode() for piece in pieces)
        return cls(made_at, epoch, revisions, model, fingerprints, headers, encoded)


@dataclass(frozen=True, slots=True)
class Made:
    """Where an answer is from. `fingerprints` of the models that wrote in it, None where they are not all known;
    `revisions` that its searches reported, null where it has none, for a plain model; `headers` that say its model."""

    model: str | None
    fingerprints: Mapping[str, str] | None
    revisions: Mapping[str, int] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Lookup:
    """One call's way past the cache. `entry` is the answer, if there is one; else `record` what goes out."""

    name: str = ""
    epoch: str = ""
    created_at: Mapping[str, str] = field(default_factory=dict)
    """For each collection, when it was made."""
    entry: Entry | None = None
    storable: bool = False
    """Whether the answer may be kept."""
    pieces: list[bytes] = field(default_factory=list)
    size: int = 0

    def begin(self) -> None:
        """An answer begins; what an attempt before it said was not the answer."""
        self.pieces, self.size = [], 0

    def record(self, piece: bytes) -> None:
        """Another piece of the answer goes out."""
        if self.storable and piece:
            self.size += len(piece)
            self.pieces.append(piece)


class AnswerCache:
    """Looks answers up, and keeps them."""

    def __init__(
        self,
        store: AnswerStore,
        rules: CachePolicy,
        retriever: Peer,
        issuer: TokenIssuer,
        clock: Clock,
        restore_epoch: str = "",
    ) -> None:
        """`restore_epoch` is another one after every restore of a backup: revisions then may name other contents."""
        self._store = store
        self._rules = rules
        self._retriever = retriever
        self._issuer = issuer
        self._clock = clock
        self._in_flight: dict[str, asyncio.Event] = {}
        self._releasing: set[asyncio.Task[None]] = set()
        self._version = f"{FORM}:{package_version('gateway')}:{package_version('agent')}:{restore_epoch}"

    def is_for(self, request: ChatRequest) -> bool:
        """Whether such a call is ever answered from memory: none that calls tools or belongs to a person's thread."""
        more = request.model_extra or {}
        return self._rules.seconds > 0 and not any(more.get(name) for name in ("tools", "functions", "store"))

    @asynccontextmanager
    async def lookup(
        self,
        principal: Principal,
        request: ChatRequest,
        cache_control: CacheControl,
        target: ResolvedTarget,
        policy: str,
    ) -> AsyncIterator[Lookup]:
        """The answer, or leave to make it: of identical calls at once one works and the others wait for it, on
        whatever replica they are."""
        name = self._name(principal, request, target, policy)
        look = partial(self._look, name, principal, target, cache_control)
        found = await look()
        in_flight = self._in_flight.get(name)
        if found.entry is None and in_flight is not None and cache_control.may_read:
            with contextlib.suppress(TimeoutError):  # a client that reads slowly must not hold up the others
                async with asyncio.timeout(self._rules.wait_seconds):
                    await in_flight.wait()
            found = await look()
        mine = (
            self._in_flight.setdefault(name, asyncio.Event())
            if found.storable and name not in self._in_flight
            else None
        )
        owner = new_id("work")
        try:
            if mine is not None and found.entry is None and cache_control.may_read:
                found = await self._one_of_all(name, owner, look, found)
            CACHE.labels("hit" if found.entry else "miss" if cache_control.may_read and found.name else "bypass").inc()
            yield found
        finally:
            if mine is not None:
                del self._in_flight[name]
                mine.set()
                self._give_up(name, owner)

    async def _one_of_all(self, name: str, owner: str, look: Callable[[], Awaitable[Lookup]], found: Lookup) -> Lookup:
        """The answer that another replica is making, or leave to make it, claimed while this replica works."""
        loop = asyncio.get_running_loop()
        until, waited = loop.time() + self._rules.wait_seconds, False
        while found.entry is None and found.storable:
            try:
                claimed = await self._store.claim(name, owner, self._rules.wait_seconds)
            except StoreUnavailable:
                return found
            if claimed or loop.time() > until:
                return await look() if claimed and waited else found  # it may have been made since the last look
            waited = True
            await asyncio.sleep(POLL_SECONDS)
            found = await look()
        return found

    def _give_up(self, name: str, owner: str) -> None:
        """In the background: the client that worked may have left."""

        async def release() -> None:
            with contextlib.suppress(StoreUnavailable):  # the claim ends by itself
                await self._store.release(name, owner)

        task = asyncio.create_task(release())
        self._releasing.add(task)
        task.add_done_callback(self._releasing.discard)

    async def store(self, lookup: Lookup, made: Made) -> None:
        """Keep a complete answer, if it can be told when it is no longer true."""
        revisions = made.revisions or {}
        if not lookup.storable or not lookup.pieces or lookup.size > self._rules.entry_bytes:
            return
        if made.fingerprints is None or not is_complete(lookup.pieces) or set(lookup.created_at) != set(revisions):
            return
        stamped = {name: f"{lookup.created_at[name]}:{number}" for name, number in revisions.items()}
        now, pieces = self._clock.now().timestamp(), tuple(lookup.pieces)
        entry = Entry(now, lookup.epoch, stamped, made.model, made.fingerprints, made.headers, pieces)
        try:
            await self._store.put(lookup.name, entry.text(), self._rules.seconds)
        except (StoreUnavailable, UnicodeDecodeError) as error:
            log.warning("an answer was not kept", reason=str(error)[:200])

    async def end_answers(self, tenant: str) -> None:
        """Raise the epoch if anything is kept at all; without Redis nothing is found either."""
        if self._rules.seconds > 0:
            try:
                await self._store.raise_epoch(tenant)
            except StoreUnavailable as error:
                log.error("a tenant's cached answers could not be ended", tenant=tenant, reason=str(error)[:200])

    async def delete_answers(self, tenant: str) -> None:
        """Drop all answers of a tenant; raises `StoreUnavailable`."""
        await self._store.delete(_mark(tenant), tenant)

    async def raise_epoch(self, tenant: str | None) -> None:
        """Nothing that was kept before, of this tenant or of all, is given out again; raises `StoreUnavailable`."""
        await self._store.raise_epoch(tenant)

    async def _look(
        self, name: str, principal: Principal, target: ResolvedTarget, cache_control: CacheControl
    ) -> Lookup:
        if not (cache_control.may_read or cache_control.may_store):
            return Lookup()
        try:
            created_at, revisions = await self._current(principal, target.collections)
            text, epoch = await self._store.get(name, principal.tenant)
        except StoreUnavailable as error:
            log.warning("the cache is away", reason=str(error)[:200])
            return Lookup()
        found = Lookup(name, epoch, created_at, storable=cache_control.may_store)
        if text is not None and cache_control.may_read:
            entry = Entry.read(text)
            age = self._clock.now().timestamp() - entry.made_at
            young = age < self._rules.seconds and (cache_control.max_age is None or age <= cache_control.max_age)
            is_of_now = entry.revisions == revisions and target.is_of_now(entry.fingerprints)
            if young and entry.epoch == epoch and is_of_now:
                found.entry = entry
        return found

    async def _current(
        self, principal: Principal, collections: Sequence[str]
    ) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """When each collection was made, and that with its revision now; none of it is cached here."""
        if not collections:
            return {}, {}
        token = self._issuer.token(principal, COLLECTIONS, "cache")
        shown = await asyncio.gather(
            *(
                self._retriever.call("GET", f"/v1/collections/{name}", Collection, token=token)
                for name in dict.fromkeys(collections)
            )
        )
        created_at = {one.name: f"{one.created_at.timestamp():.6f}" for one in shown}
        return created_at, {one.name: f"{created_at[one.name]}:{one.revision}" for one in shown}

    def _name(self, principal: Principal, request: ChatRequest, target: ResolvedTarget, policy: str) -> str:
        asked = request.model_dump(mode="json", exclude_unset=True, exclude={"model"})
        helpers = {name: target.fingerprints.get(name) for name in target.helpers}
        asker = [principal.tenant, principal.abstain]
        parts = [self._version, policy, asker, request.model, target.models, target.collections, helpers, asked]
        if target.variant is not None:
            parts.append(target.variant.model_dump())
        text = json.dumps(parts, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        return _mark(principal.tenant) + hashlib.sha256(text.encode()).hexdigest()


def _mark(tenant: str) -> str:
    """What the names of all answers of a tenant begin with."""
    return hashlib.sha256(tenant.encode()).hexdigest()[:24] + "-"


def is_complete(pieces: Sequence[bytes]) -> bool:
    """Whether an answer ended by itself, and called no tool."""
    text = b"".join(pieces)
    return set(_FINISHED.findall(text)) == {b"stop"} and _TOOLS.search(text) is None
