from __future__ import annotations

from typing import Any, cast

import pytest

from agent.peers.reader import KNOWN_FOR, PlaneReader
from agent.ports import ReadPart
from contracts.core.errors import ErrorBody
from contracts.models.reading import PassageReading, ReadingReply, ReadingRequest, SentencePair
from servicekit.core.clock import ManualClock
from servicekit.core.errors import PeerError
from servicekit.peers.client import Peer, PeerMalformed

ASKED: dict[ReadPart, ReadingRequest] = {
    "passages": ReadingRequest(question="q", passages=["p"]),
    "pairs": ReadingRequest(pairs=[SentencePair(premise="p", sentence="s")]),
}
READ = ReadingReply(model="m", reads=["answers"], passages=[PassageReading(answers=0.5)])


class _Plane:
    """A peer that gives one reply, or one error."""

    name = "gateway"

    def __init__(self, reply: ReadingReply | PeerError) -> None:
        self.reply = reply
        self.asked: list[str] = []

    async def call(self, *_: object, body: ReadingRequest, **__: object) -> Any:
        self.asked.append(body.model)
        if isinstance(self.reply, PeerError):
            raise self.reply
        return self.reply


def _reader(reply: ReadingReply | PeerError) -> tuple[PlaneReader, _Plane, ManualClock]:
    plane, clock = _Plane(reply), ManualClock()
    return PlaneReader(cast("Peer", plane), 5, clock), plane, clock


def _error(status: int, code: str) -> PeerError:
    return PeerError(status, ErrorBody(message="No.", type="not_found", code=code, param=None, request_id="r"))


@pytest.mark.parametrize("part", ["passages", "pairs"])
@pytest.mark.parametrize(("status", "code"), [(404, "no_reader"), (404, "not_found"), (400, "unsupported_parameter")])
async def test_what_nothing_reads_is_known_for_a_while_and_then_asked_again(
    part: ReadPart, status: int, code: str
) -> None:
    reader, _, clock = _reader(_error(status, code))
    other: ReadPart = "pairs" if part == "passages" else "passages"
    assert reader.may_read(part)
    assert await reader.read(ASKED[part], "token") is None
    assert (reader.may_read(part), reader.may_read(other)) == (False, True)
    clock.advance(KNOWN_FOR.total_seconds())
    assert reader.may_read(part)


async def test_another_model_is_asked_by_its_name_and_what_the_default_one_can_t_read_does_not_hold_for_it() -> None:
    reader, plane, _ = _reader(_error(404, "no_reader"))
    await reader.read(ASKED["passages"], "token")
    named = reader.named("reader+manuals")
    assert [one.may_read("passages") for one in (reader, named)] == [False, True]
    plane.reply = READ
    assert await named.read(ASKED["passages"], "token") == READ
    assert plane.asked == ["default", "reader+manuals"]


async def test_a_model_of_relevance_alone_is_of_no_use_to_answers_for_a_while() -> None:
    relevance = ReadingReply(model="m", reads=["relevance"], passages=[PassageReading(relevance=0.5)])
    for reply, asked_again in ((relevance, False), (READ, True)):
        reader, _, _ = _reader(reply)
        assert await reader.read(ASKED["passages"], "token") == reply
        assert reader.may_read("passages") is asked_again


async def test_the_languages_that_the_model_reads_are_known_for_a_while_from_its_reply() -> None:
    reader, _, clock = _reader(READ.model_copy(update={"languages": ("en",)}))
    assert reader.languages is None
    await reader.read(ASKED["passages"], "token")
    assert reader.languages == ("en",)
    clock.advance(KNOWN_FOR.total_seconds())
    assert reader.languages is None


async def test_whether_it_counts_alone_is_what_the_last_reply_said() -> None:
    reader, plane, _ = _reader(READ)
    assert not reader.alone
    for alone in (True, False):
        plane.reply = READ.model_copy(update={"alone": alone})
        await reader.read(ASKED["passages"], "token")
        assert reader.alone is alone
        assert reader.named("other").alone is False
        assert reader.named("default").alone is alone


async def test_any_other_error_is_raised_and_not_remembered() -> None:
    reader, _, _ = _reader(_error(503, "model_not_ready"))
    with pytest.raises(PeerError):
        await reader.read(ASKED["passages"], "token")
    assert reader.may_read("passages")


@pytest.mark.parametrize(("passages", "pairs"), [(0, 0), (2, 0), (1, 1)])
async def test_a_reading_that_is_not_one_for_each_text_is_an_error(passages: int, pairs: int) -> None:
    pair = {"verdict": "neither", "supported": 0, "neither": 1}
    other = {"model": "m", "reads": [], "passages": [{}] * passages, "pairs": [pair] * pairs}
    reader, _, _ = _reader(ReadingReply.model_validate(other))
    with pytest.raises(PeerMalformed):
        await reader.read(ASKED["passages"], "token")
