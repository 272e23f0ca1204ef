from __future__ import annotations

import io
from typing import TYPE_CHECKING

from ingest.blobs.references import cleanup_unreferenced

if TYPE_CHECKING:
    from services.ingest.tests.conftest import Service


async def test_a_cleanup_removes_what_nobody_names_and_nothing_else(service: Service) -> None:
    await service.upload("the word", document_id="a")
    await service.work_all()
    named = dict(service.blobs._blobs)
    await service.blobs.put(f"acme/{'0' * 64}", io.BytesIO(b"whoever put this was killed"))
    assert await cleanup_unreferenced(service.database, service.blobs, 3600) == 1
    assert service.blobs._blobs == named
