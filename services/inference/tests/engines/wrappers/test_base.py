from __future__ import annotations

from services.inference.tests.engines.wrappers.engines import FakeEngine

from inference.engines.wrappers.base import EngineWrapper


async def test_what_all_engines_have_in_common_is_the_inner_engine_s() -> None:
    inner = FakeEngine()
    wrapper = EngineWrapper(inner)
    await wrapper.open()
    await wrapper.probe()
    await wrapper.close()
    assert inner.log == ["open", "probe", "close"]
    assert wrapper.tokenizer() == b"{}"
