"""W3C trace context as it comes in and goes out."""

from __future__ import annotations

import pytest

from servicekit.telemetry.trace_context import CURRENT, TraceContext, trace_id, traceparent

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
HEADER = f"00-{TRACE}-{PARENT}-01"


def test_a_traceparent_is_read_and_written_as_it_is() -> None:
    read = TraceContext.read(HEADER, "vendor=1")
    assert read == TraceContext(TRACE, PARENT, sampled=True, state="vendor=1")
    assert read.header() == HEADER
    assert TraceContext.begin(sampled=False).header().endswith("-00")


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "nonsense",
        HEADER.upper(),
        HEADER[:-1],
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"{HEADER}-more",
        f"{HEADER}\r\nX-Evil: 1",
    ],
)
def test_a_traceparent_that_is_none_begins_a_trace_of_its_own(header: str | None) -> None:
    assert TraceContext.read(header) is None


def test_a_later_version_with_more_in_it_is_read() -> None:
    assert TraceContext.read(f"01-{TRACE}-{PARENT}-01-more") == TraceContext(TRACE, PARENT, sampled=True)


def test_a_tracestate_that_could_break_a_header_is_left_out() -> None:
    read = TraceContext.read(HEADER, "a=1\r\nX-Evil: 1")
    assert read is not None
    assert read.state == ""


@pytest.mark.parametrize(("flags", "sampled"), [("00", False), ("01", True), ("02", False), ("03", True), ("ff", True)])
def test_whether_a_trace_is_recorded_is_one_bit_of_its_flags(flags: str, sampled: bool) -> None:
    read = TraceContext.read(f"00-{TRACE}-{PARENT}-{flags}")
    assert read is not None
    assert read.sampled is sampled
    assert read.header() == f"00-{TRACE}-{PARENT}-{'01' if sampled else '00'}", "no other flag is passed on"


def test_each_trace_that_begins_has_ids_of_its_own_that_can_be_read_again() -> None:
    begun = [TraceContext.begin(sampled=True) for _ in range(100)]
    assert len({each.trace_id for each in begun}) == len({each.span_id for each in begun}) == 100
    assert [TraceContext.read(each.header()) for each in begun] == begun


def test_work_without_a_trace_has_neither_an_id_nor_a_header() -> None:
    before = CURRENT.set(None)
    assert (trace_id(), traceparent()) == (None, None)
    CURRENT.reset(before)
