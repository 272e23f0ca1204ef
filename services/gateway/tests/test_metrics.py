from __future__ import annotations

from itertools import product

import pytest
from prometheus_client import REGISTRY, Counter
from prometheus_client.metrics import MetricWrapperBase

from gateway import metrics
from gateway.limits.limiter import ALERT_PERCENT


def _table() -> dict[str, tuple[str, ...]]:
    """Each metric's labels, as the table says."""
    rows = [
        line.strip().strip("|").split("|") for line in (metrics.__doc__ or "").splitlines() if "| groundwork_" in line
    ]
    return {row[0].strip(): tuple(label.strip() for label in row[1].split(",") if label.strip()) for row in rows}


def test_the_table_names_every_metric_there_is_with_its_labels() -> None:
    made = [one for one in vars(metrics).values() if isinstance(one, MetricWrapperBase)]
    assert _table() == {one._name + ("_total" if isinstance(one, Counter) else ""): one._labelnames for one in made}


SERIES = [
    *(
        ("limit_rejections_total", {"limit": limit})
        for limit in ("redis_away", "key_event_streams", "model_concurrency")
    ),
    *(("fallbacks_total", {"reason": reason}) for reason in ("retry", "error", "context_overflow", "refusal")),
    *(("cache_total", {"result": result}) for result in ("hit", "miss", "bypass")),
    *(
        ("guardrails_total", {"guard": guard, "where": where, "action": action})
        for guard, where, action in product(
            ("secrets", "pii"), ("input", "output", "retrieved"), ("flag", "redact", "block")
        )
    ),
    ("guardrails_total", {"guard": "injection", "where": "retrieved", "action": "block"}),
    *(
        ("budget_alerts_total", {"whose": whose, "percent": str(percent)})
        for whose, percent in product(("key", "tenant"), ALERT_PERCENT)
    ),
]


@pytest.mark.parametrize(("name", "labels"), SERIES, ids=lambda value: str(value))
def test_what_never_happened_is_there_as_nothing_so_that_its_first_time_is_an_increase(
    name: str, labels: dict[str, str]
) -> None:
    assert REGISTRY.get_sample_value(f"groundwork_gateway_{name}", labels) is not None
