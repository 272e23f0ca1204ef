from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ingest.errors import FetchesBusy
from ingest.tenant_slots import WAITING_PER_SLOT, TenantSlots


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


async def test_a_tenant_that_fills_its_own_line_leaves_room_in_it_for_others() -> None:
    slots = TenantSlots(2, 1, FetchesBusy)

    async def take(tenant: str) -> None:
        async with slots.taken(tenant, wait=True):
            pass

    async with slots.taken("a", wait=False), slots.taken("b", wait=False):
        lines = [asyncio.ensure_future(take("a")) for _ in range(WAITING_PER_SLOT)]
        await asyncio.sleep(0)
        with pytest.raises(FetchesBusy):
            await take("a")
        lines.append(asyncio.ensure_future(take("c")))
        await asyncio.sleep(0)
        assert not any(line.done() for line in lines)
    await asyncio.gather(*lines)
