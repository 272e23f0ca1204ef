"""What the API's routes are given."""

from __future__ import annotations

from dataclasses import dataclass

from ingest.documents.deletions import Deletions
from ingest.documents.intake import Intake
from ingest.export.reader import ArchiveReader
from ingest.fetch.service import FetchService
from ingest.pictures.service import PagePictures
from ingest.ports import BlobStore, Index, Notifier
from ingest.settings import IngestSettings
from servicekit.core.clock import Clock
from servicekit.core.disk import DiskRoom
from servicekit.sql.database import Database


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What the API's routes use."""

    settings: IngestSettings
    database: Database
    blobs: BlobStore
    index: Index
    notifier: Notifier
    clock: Clock
    intake: Intake
    deletions: Deletions
    fetches: FetchService
    archives: ArchiveReader
    pictures: PagePictures
    room: DiskRoom
