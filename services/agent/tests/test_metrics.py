from __future__ import annotations

import re

from prometheus_client import generate_latest
from prometheus_client.metrics import MetricWrapperBase

from agent import errors, metrics
from agent.metrics import DEGRADATIONS, FAILURES
from contracts.models.chat import TOOLS_IGNORED
from servicekit.peers.client import PeerTimeout, PeerUnreachable

SERIES = generate_latest().decode()


def test_what_never_happened_is_a_zero_and_no_gap() -> None:
    for name, label, values in (
        ("groundwork_answer_failures_total", "code", FAILURES),
        ("groundwork_answer_degraded_total", "reason", DEGRADATIONS),
        ("groundwork_runs_total", "status", {"completed", "failed", "cancelled", "limit_reached"}),
        ("groundwork_run_claims_total", "kind", {"first", "again"}),
        ("groundwork_run_records_total", "outcome", {"sent", "refused", "no_memory", "failed", "closed"}),
    ):
        assert values <= set(re.findall(rf'^{name}{{{label}="(\w+)"}}', SERIES, re.MULTILINE)), name
    for kind in ("generated", "extractive", "abstained"):
        assert re.search(rf'^groundwork_answers_total{{grounding="strict",kind="{kind}"}}', SERIES, re.MULTILINE)


def test_failures_are_counted_under_the_codes_that_errors_have() -> None:
    peers = {PeerUnreachable("retriever").code, PeerUnreachable("gateway").code, PeerTimeout("retriever").code}
    assert peers | {errors.DeadlinePassed.code} <= FAILURES
    assert TOOLS_IGNORED in DEGRADATIONS


def test_the_table_of_metrics_has_each_of_them_with_its_labels() -> None:
    told = re.findall(r"^\| (groundwork_\w+) \|([\w, ]*)\|", metrics.__doc__ or "", re.MULTILINE)
    for value in vars(metrics).values():
        if isinstance(value, MetricWrapperBase):
            (described,) = value.describe()
            names = {described.name, f"{described.name}_total"}
            rows = [labels.strip() for name, labels in told if name in names]
            assert rows == [", ".join(value._labelnames)], described.name
