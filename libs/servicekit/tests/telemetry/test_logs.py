"""What a service writes about itself: one line of JSON an event, and none for each call it makes."""

from __future__ import annotations

import json
import logging

import httpx2
import pytest
import structlog

from servicekit.core.settings import ServiceSettings
from servicekit.telemetry.logs import configure_logging


def _lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_both_kinds_of_loggers_write_one_json_line_that_names_the_service(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(ServiceSettings(log_format="json"), "words")
    with structlog.contextvars.bound_contextvars(request_id="r1"):
        structlog.get_logger("ours").warning("document.held", seconds=2)
        logging.getLogger("theirs").info("read %s", "a page")
    ours, theirs = _lines(capsys)
    assert ours.items() >= {"event": "document.held", "seconds": 2, "level": "warning", "service": "words"}.items()
    assert theirs.items() >= {"event": "read a page", "level": "info", "service": "words"}.items()
    assert ours["request_id"] == theirs["request_id"] == "r1"


def test_calls_to_other_services_are_not_logged_one_by_one(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(ServiceSettings(log_format="json"), "words")
    with httpx2.Client(transport=httpx2.MockTransport(lambda _: httpx2.Response(200))) as client:
        client.get("http://retriever.test/search?text=private")
    assert _lines(capsys) == []
