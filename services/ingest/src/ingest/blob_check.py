"""`python -m ingest.blob_check`: can the blob store be used as the settings say? One line, and exit status 0 or 1.

It writes what a readiness check writes, and nothing else.
"""

from __future__ import annotations

import asyncio
import sys

from pydantic import ValidationError

from contracts.core.validation import what_is_wrong
from ingest.settings import IngestSettings
from ingest.stores import open_blobs
from servicekit.core.errors import ServiceError
from servicekit.sql.database import Database
from servicekit.telemetry.logs import configure_logging


async def problem(settings: IngestSettings) -> str:
    """What is wrong with the blob store; empty if nothing is."""
    database = Database.open(settings.database_url, settings.data_dir, "ingest")  # opened only, for its claims
    try:
        async with open_blobs(settings, database) as blobs:
            await blobs.probe()
            return await blobs.concern()
    except ServiceError as error:
        return error.message
    except OSError as error:
        return f"its folder can't be written: {error.strerror}"
    finally:
        await database.close()


def main() -> int:
    """The exit status."""
    try:
        settings = IngestSettings()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        sys.stdout.write(f"{what_is_wrong(first)}\n")
        return 1
    configure_logging(settings, "ingest")
    wrong = asyncio.run(problem(settings))
    sys.stdout.write(f"{wrong or 'bytes can be written'}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
