"""Wake-ups, over a broker in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from celery import Celery
from pydantic import SecretStr
from structlog.testing import capture_logs

from ingest.jobs.celery_app import EXPIRES_SECONDS, QUEUE, WAKE, add_wake_task, make_celery, send_wake
from servicekit.telemetry.trace_context import TRACEPARENT

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def app() -> Iterator[Celery]:
    app = make_celery(SecretStr("memory://"))
    yield app
    app.close()


def received(app: Celery) -> list[Any]:
    """The messages that lie in the queue."""
    with app.connection_for_read() as connection, connection.channel() as channel:
        found = []
        while (message := channel.basic_get(QUEUE, no_ack=True)) is not None:
            found.append(message)
        return found


def test_a_wake_up_names_its_job_and_call_and_is_of_no_use_for_long(app: Celery) -> None:
    received(app)
    send_wake(app, "job_1", "req_1")
    (message,) = received(app)
    headers = message.headers
    assert (headers["task"], headers["job_id"], headers["request_id"]) == (WAKE, "job_1", "req_1")
    assert headers["expires"] is not None
    assert 0 < EXPIRES_SECONDS <= 600


def test_a_worker_rings_for_each_wake_up_and_logs_whose_it_is(app: Celery) -> None:
    rung: list[dict[str, Any]] = []
    add_wake_task(app, lambda: rung.append(structlog.contextvars.get_contextvars()))
    with capture_logs():
        for headers in ({"job_id": "job_1", "request_id": "req_1", TRACEPARENT: TRACE}, {}, {TRACEPARENT: "nonsense"}):
            app.tasks[WAKE].apply(headers=headers, throw=True)
    assert [(each["job_id"], each["request_id"]) for each in rung] == [("job_1", "req_1"), (None, None), (None, None)]
    assert rung[0]["task_id"]
    assert "job_id" not in structlog.contextvars.get_contextvars(), "what is bound goes with the wake-up"


def test_of_two_apps_in_one_process_each_rings_its_own(app: Celery) -> None:
    rung: list[str] = []
    other = make_celery(SecretStr("memory://"))
    add_wake_task(app, lambda: rung.append("one"))
    add_wake_task(other, lambda: rung.append("other"))
    with capture_logs():
        for each in (other, app):
            each.tasks[WAKE].apply(throw=True)
    other.close()
    assert rung == ["other", "one"]


def test_nothing_is_tried_again_or_waited_for_long_and_no_message_is_a_program(app: Celery) -> None:
    conf = app.conf
    assert (conf.task_publish_retry, conf.task_acks_late, conf.task_ignore_result) == (False, False, True)
    assert conf.accept_content == ["json"]
    assert not conf.worker_enable_remote_control
    options = conf.broker_transport_options
    assert options["max_retries"] == 0
    assert max(options["socket_connect_timeout"], options["socket_timeout"], conf.broker_connection_timeout) <= 5


def test_a_worker_is_listed_by_its_name() -> None:
    app = make_celery(SecretStr("memory://"), "groundwork-worker@host:1")
    assert app.conf.broker_transport_options["client_name"] == "groundwork-worker@host:1"
    app.close()
