from __future__ import annotations

from prometheus_client import REGISTRY

from inference.metrics import begin_model


def test_a_declared_model_s_counters_begin_at_zero() -> None:
    begin_model("begun", "chat")
    for name, labels in (
        ("groundwork_inference_rejected_total", {}),
        ("groundwork_inference_tokens_total", {"kind": "completion"}),
        ("groundwork_inference_tool_calls_total", {"how": "mended"}),
    ):
        assert REGISTRY.get_sample_value(name, {"model": "begun", **labels}) == 0
    assert REGISTRY.get_sample_value("groundwork_inference_tokens_total", {"model": "begun", "kind": "rerank"}) is None
