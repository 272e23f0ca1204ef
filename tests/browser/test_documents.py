"""What the page of documents tells of one: metadata, revisions, chunks; and a reindex."""

from __future__ import annotations

from typing import Any

from tests.support.home.stack import RunningHome


def _add(home: RunningHome, collection: str, text: str) -> None:
    job = home.client.documents.add_text(
        collection, text, document_id="kettle", title="The kettle", metadata={"team": "kitchen", "floor": 2}
    ).job
    assert job is not None
    home.client.jobs.wait(job.id)


def test_a_document_shows_its_metadata_what_changed_and_how_it_was_cut(signed_in: Any, home: RunningHome) -> None:
    page, name = signed_in, "kettles"
    home.client.collections.ensure(name)
    _add(home, name, "# The kettle\n\nIt boils for 95 seconds.\n\nIt is red.")
    _add(home, name, "# The kettle\n\nIt boils for 80 seconds.\n\nIt is red.")
    page.goto(f"{home.base_url}/console/#/documents/{name}")
    page.get_by_role("button", name="Details of The kettle").click()
    details = page.get_by_role("complementary", name="About The kettle")
    details.get_by_text("kitchen").wait_for()
    details.get_by_role("button", name="What changed").click()
    assert details.locator("del").text_content() == "It boils for 95 seconds.\n"
    assert details.locator("ins").text_content() == "It boils for 80 seconds.\n"
    details.get_by_role("button", name="Show how it was cut").click()
    chunk = next(home.client.documents.chunks(name, "kettle"))
    assert details.locator(".chunks pre").first.text_content() == chunk.text
    with page.expect_download() as export:
        details.get_by_role("link", name="Export").click()
    assert export.value.suggested_filename == "kettle.zip"
    details.get_by_role("button", name="Show in place").first.click()
    assert page.locator("aside mark").text_content() == chunk.text


def test_a_collection_is_cut_anew_while_the_page_says_how_far_it_is(signed_in: Any, home: RunningHome) -> None:
    page, name = signed_in, "recut"
    home.client.collections.ensure(name)
    _add(home, name, "The kettle boils. " * 60)
    page.goto(f"{home.base_url}/console/#/documents/{name}")
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Most tokens of a chunk").fill("32")
    page.get_by_role("button", name="Reindex").click()
    page.get_by_text("The collection is reindexed.").wait_for()
    assert home.client.collections.get(name).chunking.max_tokens == 32
    assert len(list(home.client.documents.chunks(name, "kettle"))) > 3
