"""Celery, used for wake-ups only: one task that says "look into the queue".

A message that is lost, doubled or late changes nothing, since a worker also looks by itself. So nothing is retried,
acknowledged late or redelivered, and old messages expire.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog
from celery import Celery, Task
from pydantic import SecretStr

from servicekit.telemetry.spans import Attributes, enter, span
from servicekit.telemetry.trace_context import TRACEPARENT, TraceContext, traceparent

log = structlog.get_logger(__name__)
WAKE = "ingest.wake"
QUEUE = "ingest"
EXPIRES_SECONDS = 300
CONNECT_SECONDS = 1.0
SEND_SECONDS = 2.0
_ABOUT: Attributes = {"messaging.system": "celery", "messaging.destination.name": QUEUE}


def make_celery(redis_url: SecretStr, name: str | None = None) -> Celery:
    """The Celery app, bounded in time and without anything that it doesn't need; `name` is what Redis lists it as."""
    app = Celery("ingest", broker=redis_url.get_secret_value(), set_as_current=False)
    app.conf.update(
        task_default_queue=QUEUE,
        task_ignore_result=True,
        task_serializer="json",
        accept_content=["json"],
        task_publish_retry=False,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_prefetch_multiplier=1,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_connection_timeout=CONNECT_SECONDS,
        broker_transport_options={
            "socket_connect_timeout": CONNECT_SECONDS,
            "socket_timeout": SEND_SECONDS,
            "max_retries": 0,
            "visibility_timeout": 3600,
            "health_check_interval": 10,
            "client_name": name,
        },
    )
    return app


def add_wake_task(app: Celery, ring: Callable[[], None]) -> None:
    """Let the app's worker ring a notifier for each wake-up."""

    def wake(task: Task) -> None:
        """A job is waiting: look into the queue."""
        headers = task.request.headers or {}
        named = {"request_id": headers.get("request_id"), "job_id": headers.get("job_id"), "task_id": task.request.id}
        with structlog.contextvars.bound_contextvars(**named, trace_id=None):
            woken = enter(f"process {QUEUE}", "consumer", TraceContext.read(headers.get(TRACEPARENT)), _ABOUT)
            log.info("woken")
            ring()
            woken.end()

    app.task(wake, name=WAKE, bind=True, shared=False)  # else it would be every other app's of this process, too


def send_wake(app: Celery, job_id: str, request_id: str) -> None:
    """Publish one wake-up; blocks for at most a few seconds, and raises what the broker's library raises."""
    with span(f"send {QUEUE}", "producer", _ABOUT):
        headers = {"job_id": job_id, "request_id": request_id, TRACEPARENT: traceparent() or ""}
        app.send_task(WAKE, headers=headers, queue=QUEUE, expires=EXPIRES_SECONDS, retry=False, ignore_result=True)
