from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ingest.errors import CollectionDeleting, CollectionNotFound
from ingest.tables import COLLECTIONS

if TYPE_CHECKING:
    from services.ingest.tests.conftest import Service


async def test_no_upload_into_a_collection_that_is_not_there_or_being_deleted(service: Service) -> None:
    with pytest.raises(CollectionNotFound):
        await service.upload("one", collection="nowhere")
    async with service.database.write() as connection:
        await connection.execute(COLLECTIONS.update().values(deletion_job="job_1"))
    with pytest.raises(CollectionDeleting):
        await service.upload("one")
