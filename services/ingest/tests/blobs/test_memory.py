from __future__ import annotations

import pytest
from tests.support.ingest.blob_conformance import BlobConformance

from ingest.blobs.memory import MemoryBlobs
from ingest.ports import BlobStore


class TestMemoryBlobs(BlobConformance):
    @pytest.fixture
    def blobs(self) -> BlobStore:
        return MemoryBlobs()
