from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ingest.errors import FetchesBusy
from ingest.tenant_slots import TenantSlots


async def test_fetches_are_bounded_and_one_tenant_gets_half_of_them(tmp_path: Path) -> None:
    slots = TenantSlots(4, 2, FetchesBusy)
    async with slots.taken("a", wait=False), slots.taken("a", wait=False):
        with pytest.raises(FetchesBusy):
            async with slots.taken("a", wait=False):
                pass
        async with slots.taken("b", wait=False), slots.taken("b", wait=False):
            with pytest.raises(FetchesBusy):
                async with slots.taken("c", wait=False):
                    pass
            waiting = asyncio.ensure_future(slots.taken("c", wait=True).__aenter__())
            await asyncio.sleep(0)
            assert not waiting.done()
        await waiting
