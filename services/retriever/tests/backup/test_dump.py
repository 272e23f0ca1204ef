from __future__ import annotations

import json

from services.retriever.tests.conftest import Bench

from retriever.backup.dump import BackupDump, to_point
from retriever.stores.points import RevisionKey


async def test_a_dumped_point_is_what_was_stored(bench: Bench) -> None:
    record = await bench.create()
    await bench.index(record, "d", 1, ["The lantern burns oil."], team="hr")
    dump = BackupDump(bench.parts.database, bench.parts.store, bench.parts.collections)
    async with dump.open() as pieces:
        content = b"".join([piece async for piece in pieces])
    start = content.index(b'["')
    row = json.loads(content[start : content.index(b"\n", start)])
    point = to_point(row, "auto")
    stored = (await bench.parts.store.get_points(record.vectors, [point.id]))[point.id]
    assert point.id == RevisionKey(record.id, "d", 1).chunk_id(0)
    assert (point.payload, len(point.dense)) == (stored.payload, record.dimensions)
    assert point.sparse.indices
