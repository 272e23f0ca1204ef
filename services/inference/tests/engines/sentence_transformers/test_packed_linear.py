from __future__ import annotations

from typing import Any

import pytest

from inference.engines.sentence_transformers.packed_linear import pack_linears


@pytest.fixture
def model(torch: Any) -> Any:
    """Nested layers, one without an offset, and one that is no plain linear layer."""
    torch.manual_seed(0)
    nn = torch.nn
    inner = nn.Sequential(nn.Linear(32, 64, bias=False), nn.GELU(), nn.Linear(64, 32))
    return nn.Sequential(nn.Linear(16, 32), inner, nn.LayerNorm(32), nn.Bilinear(32, 32, 8)).eval()


def can_pack(torch: Any) -> bool:
    operators = torch.ops.mkldnn
    return torch.backends.mkldnn.is_available() and bool(operators._is_mkldnn_bf16_supported())


def test_a_packed_model_says_the_same(torch: Any, model: Any) -> None:
    body = model[:3].to(torch.bfloat16)
    inputs = torch.randn(5, 7, 16).to(torch.bfloat16)
    with torch.inference_mode():
        before = body(inputs)
        count = pack_linears(torch, body)
        after = body(inputs)
    assert count == (3 if can_pack(torch) else 0)
    assert torch.allclose(before.float(), after.float(), atol=0.05, rtol=0.05)
    assert pack_linears(torch, body) == 0, "what is packed is packed"


def test_only_plain_linear_layers_in_bfloat16_are_packed(torch: Any, model: Any) -> None:
    assert pack_linears(torch, model) == 0
    mixed = model.to(torch.bfloat16)
    mixed[1].to(torch.float32)
    assert pack_linears(torch, mixed) == (1 if can_pack(torch) else 0)
    assert type(mixed[3]) is torch.nn.Bilinear


def test_where_the_processor_cannot_a_model_stays_as_it_is(
    torch: Any, model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    body = model.to(torch.bfloat16)
    before = [type(each) for each in body.modules()]
    assert pack_linears(torch, body) == 0
    assert [type(each) for each in body.modules()] == before
