"""What the page of documents tells of one: metadata, revisions, chunks; and a reindex."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.browser.conftest import visiting
from tests.browser.visitor import MODULE
from tests.support.home.stack import RunningHome

MANY = 9
CHANGES = f"import({MODULE % 'documents/uploads.js'}).then(({{ changes }}) => changes.value)"


@pytest.fixture(scope="module")
def context(chromium: Any) -> Iterator[Any]:
    """Of these tests alone: one sets the clock, which then is that of all pages of its browser for ever."""
    with visiting(chromium) as context:
        yield context


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


def test_who_decides_that_there_is_no_answer_is_a_setting_of_the_collection(signed_in: Any, home: RunningHome) -> None:
    page, name = signed_in, "deciding"
    home.client.collections.ensure(name)
    page.goto(f"{home.base_url}/console/#/documents/{name}")
    page.get_by_role("button", name="Settings").click()
    for chosen, kept in (("never", "never"), ("default", None)):
        page.get_by_label("That there is no answer").select_option(chosen)
        page.get_by_role("button", name="Save").click()
        page.get_by_text("Saved.").wait_for()
        page.get_by_text("Saved.").wait_for(state="detached")
        assert home.client.collections.get(name).abstain == kept


def test_many_files_at_once_do_not_have_the_lists_read_once_for_each(signed_in: Any, home: RunningHome) -> None:
    page, name = signed_in, "many"
    home.client.collections.ensure(name)
    page.goto(f"{home.base_url}/console/#/documents/{name}")
    page.get_by_text("Nothing is in here yet").wait_for()
    before = page.evaluate(CHANGES)
    page.clock.install()
    page.clock.pause_at("2100-01-01")
    files = [{"name": f"{n}.md", "mimeType": "text/markdown", "buffer": f"Kettle {n}".encode()} for n in range(MANY)]
    page.locator("input[type=file][multiple]").set_input_files(files)
    page.wait_for_function("(many) => document.querySelectorAll('[data-state=working]').length === many", arg=MANY)
    assert page.evaluate(CHANGES) - before == 1
    page.clock.resume()
    page.get_by_text(f"{MANY} of {MANY} files ready").wait_for()
    page.wait_for_function("(many) => document.querySelectorAll('tbody tr').length === many", arg=MANY)


def test_the_documents_are_those_that_are_called_like_what_was_typed_last(signed_in: Any, home: RunningHome) -> None:
    page, name, late = signed_in, "called", []
    home.client.collections.ensure(name)
    for title in ("kettle", "kettles"):
        home.client.documents.add_text(name, title, document_id=title, title=title)
    page.goto(f"{home.base_url}/console/#/documents/{name}")
    page.locator("tbody tr").nth(1).wait_for()
    page.route("**/documents?*q=kettle", lambda route: late.append(route))
    with page.expect_request("**/documents?*q=kettle"):
        page.get_by_label("Title or file name").fill("kettle")
    page.get_by_label("Title or file name").fill("kettles")
    page.locator("tbody tr").nth(1).wait_for(state="detached")
    with page.expect_response("**/documents?*q=kettle") as reply:
        late[0].continue_()
    reply.value.finished()
    page.evaluate("() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    assert page.locator("tbody tr").count() == 1


def test_a_link_to_a_collection_that_is_not_there_says_so(signed_in: Any, home: RunningHome) -> None:
    page = signed_in
    page.goto(f"{home.base_url}/console/#/documents/another-tenants")
    page.get_by_text("There is no collection “another-tenants” for this key, or none any more.").wait_for()
