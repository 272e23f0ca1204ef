"""Documents that differ in a number alone, which words find and meaning confuses, in a collection that is searched by
meaning; and a set of questions about them in two splits."""

from __future__ import annotations

from random import Random

from groundwork.client import Groundwork

PARTS = 48


def fill_parts(client: Groundwork) -> None:
    """The collection `parts` and the set `places`."""
    codes = [f"7{number}1" for number in Random(13).sample(range(100_000, 999_999), PARTS)]
    client.collections.create("parts", mode="dense")
    texts = [f"Spare part, number {code}: kept in the hall." for code in codes]
    jobs = [client.documents.add_text("parts", text, document_id=f"part-{n}").job for n, text in enumerate(texts)]
    for job in jobs:
        assert job is not None
        assert client.jobs.wait(job.id).status == "ready"
    items = [
        {"question": f"Which hall has {code}?", "documents": [f"part-{n}"], "split": "train" if n % 2 else "test"}
        for n, code in enumerate(codes)
    ]
    client.question_sets.save("places", items)


def empty_parts(client: Groundwork) -> None:
    """Remove both."""
    client.question_sets.delete("places")
    client.collections.delete("parts")
