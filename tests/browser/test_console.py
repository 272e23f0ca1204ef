"""The console as people use it: what they see is what the API says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.browser.visitor import OFFERED, ask, choose, marked_is_the_api_s
from tests.support.home.stack import RunningHome
from tests.support.ingest.peers import until

from contracts.retrieval.collections import Collection

QUESTION = "How many days of paid holiday does a full-time employee get per year?"
MENU = ["Chat", "Usage", "Operations"]
"""Of a key that may only ask."""
NAMED = "x-groundwork-conversation"
HOSTILE = "<img src=x onerror=alert(1)>[a](javascript:alert(1))<script>alert(2)</script> is the name of the wombat."


def test_somebody_signs_in_with_a_key_and_out_again(page: Any, home: RunningHome) -> None:
    page.goto(f"{home.base_url}/")
    page.get_by_label("API key").fill("gw_" + "x" * 43)
    page.keyboard.press("Enter")
    page.get_by_role("alert").get_by_text("not known").wait_for()
    page.get_by_label("API key").fill(home.admin_key)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("API key").wait_for()
    assert page.evaluate("[document.cookie, localStorage.length, sessionStorage.length]") == ["", 0, 0], (
        "no key is kept"
    )
    page.reload()
    page.get_by_label("API key").wait_for()


def test_a_link_signs_in_once_and_leaves_no_token_in_the_address(page: Any, home: RunningHome) -> None:
    address = f"{home.base_url}/console/#token={home.client.session_token().token}"
    page.goto(address)
    page.get_by_role("button", name="Sign out").wait_for()
    assert "token" not in page.url
    page.context.clear_cookies()
    page.goto("about:blank")
    page.goto(address)
    page.get_by_role("alert").get_by_text("signed a browser in already").wait_for()


def test_an_answer_names_its_sources_and_each_opens_at_exactly_the_cited_characters(
    signed_in: Any, home: RunningHome, handbook: Collection
) -> None:
    page = signed_in
    page.reload()
    choose(page, "handbook")
    ask(page, QUESTION)
    api = home.client.ask("handbook", QUESTION)
    markers = page.locator(".answer .marker")
    assert markers.count() == len(api.citations) > 0
    for number, citation in enumerate(api.citations):
        markers.nth(number).click()
        page.get_by_role("heading", name=citation.title).wait_for()
        quote = marked_is_the_api_s(page, home, "handbook", citation.document_id, citation.revision)
        assert quote == citation.quote
    page.reload()  # changes nothing
    page.locator(".answer .marker").first.click()
    first = api.citations[0]
    marked_is_the_api_s(page, home, "handbook", first.document_id, first.revision)


@pytest.fixture
def split(http: httpx2.Client, handbook: Collection) -> Iterator[str]:
    """A route whose two variants answer from the handbook, each by a version of a prompt."""
    instructions = {"messages": [{"role": "system", "content": "Answer like a colleague."}]}
    http.post("/v1/prompts", json={"name": "split-voice", **instructions}).raise_for_status()
    settings = {"prompt": "split-voice@1"}
    targets = [{"model": "rag:handbook", "name": name, "groundwork": settings} for name in ("old", "new")]
    http.put("/v1/routes/split-docs", json={"targets": targets, "split_by": "conversation"}).raise_for_status()
    yield "split-docs"
    http.delete("/v1/routes/split-docs").raise_for_status()
    http.delete("/v1/prompts/split-voice").raise_for_status()


def test_what_the_documents_do_not_say_is_said_with_what_came_closest_also_by_a_route(
    signed_in: Any, http: httpx2.Client, split: str
) -> None:
    page = signed_in
    page.wait_for_function(OFFERED, arg=split)
    page.reload()
    page.get_by_role("combobox", name="What to ask").locator(f"option:text-is('{split}')").wait_for(state="attached")
    page.get_by_role("combobox", name="What to ask").select_option(split)
    named: list[str | None] = []
    page.on("request", lambda one: named.append(one.headers.get(NAMED)) if one.url.endswith("completions") else None)
    ask(page, "Which planet has the most moons?")
    page.get_by_text("The documents don't say").first.wait_for()
    page.get_by_role("region", name="Closest passages").wait_for()
    said = " ".join(page.locator("details.receipt").text_content().split())
    assert re.search(r"Variant ?(old|new) of split-docs, version 1", said)
    assert "0 tokens" not in said
    ask(page, QUESTION)
    said = " ".join(page.locator("details.receipt").nth(1).text_content().split())
    page.wait_for_function("() => location.hash.startsWith('#/chat/thread_')")
    history = f"/v1/threads/{page.url.rpartition('/')[2]}/history"
    until(lambda: len(http.get(history).json()["data"]) == 4, "both answers are kept")
    receipt = http.get(history).json()["data"][-1]["groundwork"]["receipt"]
    for value in ("prompt", "instructions", "model_digest"):
        assert receipt[value] is None or receipt[value] in said, value
    page.reload()
    page.get_by_role("combobox", name="What to ask").locator(f"option:text-is('{split}')").wait_for(state="attached")
    page.get_by_role("combobox", name="What to ask").select_option(split)
    page.locator(".turn").nth(1).wait_for()
    ask(page, QUESTION)
    page.locator("details.receipt").nth(2).wait_for()
    assert len(named) == 3
    assert len({*named}) == 1
    assert named[0]


def test_a_first_visitor_is_led_to_an_answer_about_a_file_of_his_own(
    page: Any, home: RunningHome, tmp_path: Path
) -> None:
    tenant = home.client.keys.create("visitor", tenant="first-visitor", scopes=["chat", "documents", "search"])
    note = tmp_path / "kettle.md"
    note.write_text("# The kettle\n\nThe kettle in room 12 boils for 95 seconds before it switches itself off.\n")
    page.goto(f"{home.base_url}/console/")
    page.get_by_label("API key").fill(tenant.secret)
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Add documents").click()
    page.locator("input[type=file][multiple]").set_input_files(note)
    page.locator('[data-state="ready"]').wait_for()
    page.get_by_role("link", name="Ask about them").click()
    page.get_by_label("Question", exact=True).wait_for()
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Question", "one can type at once"
    ask(page, "For how long does the kettle boil?")
    page.locator(".answer .marker").first.click()
    assert "95 seconds" in page.locator("aside mark").text_content()


def test_who_signs_in_next_does_not_begin_in_another_one_s_conversation(
    signed_in: Any, home: RunningHome, handbook: Collection
) -> None:
    page = signed_in
    page.reload()
    choose(page, "handbook")
    ask(page, QUESTION)
    page.wait_for_url("**/#/chat/*")
    made = home.client.keys.create("next", tenant="next-one", scopes=["chat", "documents"])
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("API key").fill(made.secret)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="There are no documents yet").wait_for()
    assert page.get_by_role("alert").count() == 0
    assert "/chat/" not in page.url


def test_on_a_narrow_screen_nothing_lies_over_anything_else_or_beside_the_page(
    signed_in: Any, home: RunningHome, handbook: Collection
) -> None:
    page = signed_in
    page.set_viewport_size({"width": 400, "height": 800})
    page.goto(f"{home.base_url}/console/#/documents/handbook")
    page.get_by_role("button", name="Details of Leave Policy").wait_for()
    names = page.get_by_role("navigation", name="Collections").bounding_box()
    heading = page.get_by_role("heading", name="handbook", exact=True).bounding_box()
    assert 0 <= heading["y"] - (names["y"] + names["height"]) < 100, "the one begins where the other ends"
    assert page.get_by_role("link", name="handbook").is_visible()
    page.goto(f"{home.base_url}/console/#/records")
    form = page.get_by_role("form", name="Recording")
    form.wait_for()
    right = "element => element.getBoundingClientRect().right"
    edge = form.evaluate(right)
    assert all(one.evaluate(right) <= edge for one in form.locator("select, input, button").all())


def test_what_documents_say_is_shown_as_text_and_nothing_of_it_lives(signed_in: Any, home: RunningHome) -> None:
    page, name = signed_in, "hostile"
    home.client.collections.ensure(name)
    job = home.client.documents.add_text(name, HOSTILE, document_id="attack", title="<b>x</b> <script>1</script>").job
    assert job is not None
    home.client.jobs.wait(job.id)
    page.goto(f"{home.base_url}/console/#/documents/{name}")
    page.locator("td button.link").click()
    page.locator("aside pre").get_by_text("wombat").wait_for()
    assert page.locator("aside pre").text_content() == HOSTILE
    assert page.locator("aside img, aside a[href^=javascript], aside script, td b").count() == 0


def test_a_file_that_can_not_be_read_says_why_and_can_be_deleted(signed_in: Any, home: RunningHome) -> None:
    page, name = signed_in, "unreadable"
    home.client.collections.ensure(name)
    page.goto(f"{home.base_url}/console/#/documents/{name}")
    bad = {"name": "broken.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7 this is no PDF"}
    page.locator("input[type=file][multiple]").set_input_files([bad])
    row = page.locator('[data-state="failed"]')
    row.wait_for()
    row.get_by_text("not a readable PDF").wait_for()
    row.get_by_text("add a file that can be read in its place").wait_for()
    page.get_by_role("button", name="Delete broken", exact=True).wait_for()
    assert page.get_by_role("button", name="Retry").count() == 0, "what can never succeed is not offered"
    page.get_by_role("button", name="Delete broken", exact=True).click()
    page.locator("td").get_by_role("button", name="Delete", exact=True).click()
    page.get_by_text("Nothing is in here yet").wait_for()


def test_the_menu_has_what_a_key_may_open_and_a_link_to_more_says_which_key_it_takes(
    page: Any, home: RunningHome
) -> None:
    made = home.client.keys.create("asks alone", tenant="asking", scopes=["chat"])
    page.goto(f"{home.base_url}/console/")
    page.get_by_label("API key").fill(made.secret)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Sign out").wait_for()
    assert page.get_by_role("navigation", name="Pages").get_by_role("link").all_text_contents() == MENU
    for place in ("documents", "search", "agents", "records", "reviews", "evaluations", "experiments"):
        page.goto(f"{home.base_url}/console/#/{place}")
        page.locator("main .alone").get_by_text(re.compile("This key may not .+ the scope “")).wait_for()
        assert page.locator("main").get_by_role("button").count() == 0, f"{place} offers what is refused"


def test_a_revoked_key_ends_at_the_sign_in_page_with_the_reason(page: Any, home: RunningHome) -> None:
    made = home.client.keys.create("short", tenant="default", scopes=["chat", "documents", "search"])
    page.goto(f"{home.base_url}/console/")
    page.get_by_label("API key").fill(made.secret)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Sign out").wait_for()
    home.client.keys.revoke(made.id)
    page.get_by_role("link", name="Documents").click()
    page.get_by_role("alert").get_by_text("revoked").wait_for()


@pytest.mark.parametrize("width", [400, 1280])
def test_the_page_of_documents_shows_what_is_in_a_collection(
    signed_in: Any, home: RunningHome, handbook: Collection, width: int
) -> None:
    page = signed_in
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"{home.base_url}/console/#/documents/handbook")
    page.locator("tbody tr").first.wait_for()
    assert page.locator("tbody tr").count() == handbook.documents
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
