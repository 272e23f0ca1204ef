"""Carries a proxied call to its service and the answer back, both as streams."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, nullcontext
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from contracts.access.records import RECORD_HEADER
from contracts.agents.mcp import REPORT_HEADER
from contracts.operations.operation import Operation
from gateway.auth.keys import Principal
from gateway.auth.tokens import GRANT_HEADER
from gateway.dependencies import Dependencies
from gateway.guardrails.errors import AnswerTooLarge
from gateway.guardrails.run_events import RunEventScreen
from gateway.guardrails.screen import Screen
from gateway.limits.max_usage import search_max_usage
from gateway.limits.reservations import MaxUsage
from gateway.proxy.ask_record import AskRecord, begin_ask_record
from gateway.proxy.finished_calls import ending_answers, finish
from gateway.proxy.paths import inner_path, inner_query
from gateway.proxy.quoted_documents import records_that_quote
from gateway.proxy.rerank_models import check_rerank_model
from gateway.records.recording import is_recorded
from gateway.settings import origins_in
from gateway.streaming.errors import StreamBrokenOff
from gateway.streaming.exchange import Exchange, passed_on
from gateway.usage.meter import MeteredCall
from servicekit.core.errors import Forbidden, ServiceError
from servicekit.peers.client import PeerStream
from servicekit.streams.sse import HEADERS, MEDIA_TYPE, FrameCutter, MalformedStream, encode_error

MOST_SCREENED_BYTES = 64 * 1024 * 1024
"""Of a whole answer that has to be looked at before it goes out."""
LONG_NUMBER = 11
"""Digits that no number of an event has."""


async def proxy(exchange: Exchange, deps: Dependencies, principal: Principal, spec: Operation[Any]) -> None:
    """Answer one call; those that change something are limited and recorded."""
    path = inner_path(spec, exchange.path_params)
    if spec.own_origin:
        check_origin(exchange, f"{deps.settings.mcp_origins},{deps.settings.cors_origins}")
    if spec.route is None:
        exchange.no_body()
        deps.watch(exchange, principal)
        async with deps.streams.follow(principal) if spec.gives == "events" else nullcontext():
            await _carry(exchange, deps, principal, spec, path, None)
        return
    async with deps.metered(exchange, principal, spec.route) as call:
        if spec.spends:
            await deps.ask(exchange, call, await left_in_budgets(deps, principal.tenant))
        else:
            await deps.reserve(exchange, call)
        await _carry(exchange, deps, principal, spec, path, call)


async def left_in_budgets(deps: Dependencies, tenant: str) -> MaxUsage:
    """Of what is embedded and charged later: now one can only ask whether budgets have anything left."""
    cost = search_max_usage(await deps.catalog.known(tenant), "?", 1).cost
    return MaxUsage(cost=None if cost is None else min(cost, 1))


def check_origin(exchange: Exchange, allowed: str) -> None:
    """Raise `OriginRefused` for a page of somewhere else: DNS rebinding would let it speak with a local server.

    A page of the gateway's own address is one of an address without a name: a name may be anybody's who can have it
    point here, and then both headers agree.
    """
    origin = exchange.header("origin")
    if origin is None:
        return
    host = exchange.header("host") or ""
    own = {f"{scheme}://{host}" for scheme in ("http", "https")} if _has_no_name(host) else set()
    if not {origin, "*"} & {*own, *origins_in(allowed)}:
        raise OriginRefused(origin)


def _has_no_name(host: str) -> bool:
    """Whether a `Host` is an address, or this machine."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or bool(ip_address(name))
    except ValueError:
        return False


async def _carry(
    exchange: Exchange,
    deps: Dependencies,
    principal: Principal,
    spec: Operation[Any],
    path: str,
    call: MeteredCall | None,
) -> None:
    headers = _headers(exchange, deps, principal, spec)
    screen = Screen(principal.guardrails, spec.reach)
    after = _last_seen(headers) if screen.screens_output else 0
    settings = deps.settings
    peer = {"agent": deps.peers.agent, "ingest": deps.peers.ingest, "lab": deps.peers.lab}[spec.owner]
    may_last = spec.gives in ("events", "json_or_events")
    quoting = await records_that_quote(exchange, deps, principal, spec)
    await quoting.precede()
    body = await _body(exchange, deps, principal, spec, headers, screen)
    record = begin_ask_record(exchange, deps, call, spec, body, screen.decisions)
    if record is not None:
        headers[REPORT_HEADER] = "yes"
    calling = peer.stream(
        spec.method,
        path,
        token=deps.issuer.token(principal, spec.audiences, exchange.request_id, call.id if call else None),
        body=body,
        params=inner_query(spec, exchange.scope["query_string"]),
        headers=headers,
        passes=spec.own_errors,
        timeout_seconds=settings.answer_timeout_seconds if may_last else settings.call_timeout_seconds,
    )
    async with AsyncExitStack() as stack:
        if spec.finishes:
            stream: PeerStream = await finish(calling, exchange, deps, principal, spec, quoting)
        else:
            async with ending_answers(deps, principal, spec):
                stream = await stack.enter_async_context(calling)
        if call is not None:
            call.status = stream.status
        await _pass_on(exchange, stream, spec, screen, after, record)


def _headers(exchange: Exchange, deps: Dependencies, principal: Principal, spec: Operation[Any]) -> dict[str, str]:
    """What the service is told beside the body. Raises `RecordHeaderUnclear` where a run begins."""
    headers = {**exchange.forwarded_headers(), "accept-encoding": "identity"}
    if spec.grant:
        records = spec.owner == "agent" and is_recorded(principal, exchange.header(RECORD_HEADER.lower()))
        headers[GRANT_HEADER] = deps.issuer.grant(principal, exchange.request_id, records=records)
    return headers


async def _body(
    exchange: Exchange,
    deps: Dependencies,
    principal: Principal,
    spec: Operation[Any],
    headers: dict[str, str],
    screen: Screen,
) -> bytes | AsyncIterator[bytes] | None:
    if spec.carries in ("upload", "archive"):
        return exchange.upload()
    headers.pop("content-length", None)
    if spec.carries == "json":
        body = await exchange.body()
        if spec.cites:
            body = exchange.cites().relative(body)
        body = await screen.question_body(body)
        await check_rerank_model(deps, principal, spec, body)
        exchange.headers.update(screen.header())
        return body
    headers.pop("content-type", None)
    exchange.no_body()
    if spec.cites:
        exchange.cites()
    return None


def _last_seen(headers: dict[str, str]) -> int:
    """The event after which a reader goes on, no longer asked of the service: a finding may have begun before it."""
    seen = headers.get("last-event-id", "")
    if not (seen.isascii() and seen.isdigit() and len(seen) < LONG_NUMBER):
        return 0  # none, or one that the service refuses
    del headers["last-event-id"]
    return int(seen)


async def _pass_on(
    exchange: Exchange,
    stream: PeerStream,
    spec: Operation[Any],
    screen: Screen,
    after: int,
    record: AskRecord | None = None,
) -> None:
    headers = passed_on(stream.headers)
    streams = headers.get("content-type", "").startswith(MEDIA_TYPE)
    screens = screen.screens_output and stream.status < HTTPStatus.BAD_REQUEST
    if streams:
        headers.update(HEADERS)
    elif screens or record is not None or spec.cites:
        await _answer(exchange, stream, headers, screen if screens else None, record)
        return
    elif spec.gives in ("bytes", "text"):
        headers["x-content-type-options"] = "nosniff"
    await exchange.start(stream.status, headers)
    try:
        async for piece in _pieces(stream, spec, screen if screens else None, after):
            await exchange.piece(piece)
    except ServiceError as error:
        if not streams:
            raise
        await exchange.piece(encode_error(error, exchange.request_id))
    await exchange.end()


async def _answer(
    exchange: Exchange, stream: PeerStream, headers: dict[str, str], screen: Screen | None, record: AskRecord | None
) -> None:
    """A whole answer, screened and recorded."""
    pieces, size = [], 0
    async for piece in stream.pieces():
        pieces.append(piece)
        size += len(piece)
        if size > MOST_SCREENED_BYTES:
            raise AnswerTooLarge(MOST_SCREENED_BYTES)
    headers.pop("content-length", None)
    body = b"".join(pieces)
    if record is not None:
        body = record.take_report(body)
    if screen is not None:
        body = await screen.answer(body)
        exchange.headers.update(screen.header())
    if record is not None:
        record.keep(body)
        await record.finish()
    await exchange.answer(stream.status, headers, body)
    if record is not None:
        await record.complete()


def _pieces(stream: PeerStream, spec: Operation[Any], screen: Screen | None, after: int) -> AsyncIterator[bytes]:
    if screen is not None:
        return _screened(stream.pieces(), screen, after)
    return _frames(stream.pieces()) if spec.cites else stream.pieces()


async def _frames(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Whole events; a stream that breaks off ends as `stream_broken_off`."""
    cutter = FrameCutter()
    try:
        async for piece in pieces:
            if whole := b"".join(cutter.feed(piece)):
                yield whole
        cutter.close()
    except MalformedStream:
        raise StreamBrokenOff from None


async def _screened(pieces: AsyncIterator[bytes], screen: Screen, after: int) -> AsyncIterator[bytes]:
    """A run's events, screened; a stream that breaks off ends as `stream_broken_off`."""
    cutter, events = FrameCutter(), RunEventScreen(screen, after)
    try:
        async for piece in pieces:
            for frame in cutter.feed(piece):
                if out := await events.frame(frame):
                    yield out
        cutter.close()
    except MalformedStream:
        raise StreamBrokenOff from None
    if out := events.last():
        yield out


class OriginRefused(Forbidden):
    """A web page of another origin calls."""

    code = "origin_refused"

    def __init__(self, origin: str) -> None:
        super().__init__(
            f"Pages of '{origin[:200]}' may not call this. Let the operator name the origin in GATEWAY_MCP_ORIGINS, or "
            "in GATEWAY_CORS_ORIGINS for all calls."
        )
