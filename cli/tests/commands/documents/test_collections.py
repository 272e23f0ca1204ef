from __future__ import annotations

from cli.tests.terminal import sentence


def test_options_that_make_no_collection_are_named_before_anything_is_sent() -> None:
    assert "name:" in sentence("collection", "create", "No Name")
    assert "give that, too" in sentence("collection", "create", "c", "--max-tokens", "64")
    assert "overlap must be" in sentence(
        "collection", "create", "c", "--chunking=fixed", "--max-tokens=32", "--overlap=31"
    )
    assert "Nothing runs in" in sentence("collection", "create", "c", "--quantization=binary", "--on-disk")
