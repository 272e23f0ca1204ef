"""A tab that stays open while the gateway is killed, comes back, or comes back as a newer one: never a blank page."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from tests.browser.visitor import MODULE, OFFERED
from tests.support.home.stack import RunningHome

from contracts.retrieval.collections import Collection

WORDS = " ".join(f"word{number}" for number in range(200))
ASKED = """async (id) => {
  const { data = [] } = await (await fetch(`../v1/threads/${id}/history`)).json();
  return data.length === 1;
}"""
AWAY = {"code": "upstream_unreachable", "message": "The ingest service can't be reached now. Try again shortly."}
LOADED = "performance.getEntriesByType('resource').map(({ name }) => new URL(name).pathname)"


@pytest.fixture
def slow(http: httpx2.Client) -> Iterator[str]:
    """A model that says a word a second: it is still at it when somebody looks."""
    script = {"pace_seconds": 1, "rules": [{"when": ".", "reply": WORDS}]}
    body = {"kind": "chat", "engine": "scripted", "context_length": 8000, "source": script}
    http.put("/v1/models/slow", json=body).raise_for_status()
    yield "slow"
    http.delete("/v1/models/slow").raise_for_status()


def _kill(home: RunningHome) -> None:
    os.kill(home.supervisor.processes()["gateway"].pid, signal.SIGKILL)


def _other_version(page: Any) -> None:
    """From now on the server has another console."""
    page.route("**/console/version", lambda route: route.fulfill(body="of-another-console"))


def test_an_answer_that_a_killed_gateway_cut_off_is_said_to_be_so_kept_and_asked_again(
    signed_in: Any, home: RunningHome, slow: str
) -> None:
    page = signed_in
    page.wait_for_function(OFFERED, arg=slow)  # the gateway keeps the list of models for seconds
    page.reload()
    page.get_by_label("What to ask").locator(f"option:text-is('{slow}')").wait_for(state="attached")
    page.get_by_label("What to ask").select_option(slow)
    page.get_by_label("Question", exact=True).fill("Say many words.")
    page.keyboard.press("Enter")
    page.locator(".answer").get_by_text("word0").wait_for()
    _kill(home)
    page.get_by_role("alert").get_by_text("The connection broke before the answer was whole").wait_for()
    page.wait_for_function("async () => (await fetch('../healthz').catch(() => ({}))).ok")
    page.wait_for_function("() => location.hash.startsWith('#/chat/thread_')")
    thread = page.url.rpartition("/")[2]
    kept = """async (id) => {
      const { data = [] } = await (await fetch(`../v1/threads/${id}/history`)).json();
      return data.length === 2 && data[1].content.startsWith('word0');
    }"""
    page.wait_for_function(kept, arg=thread)
    page.get_by_role("button", name="Ask again").click()
    page.locator(".answer").get_by_text("word0").wait_for()
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("Stopped.").wait_for()
    page.get_by_role("button", name="Ask again").click()
    page.locator(".answer").get_by_text("word0").wait_for()
    page.wait_for_function(ASKED, arg=thread)
    page.reload()
    page.get_by_text("The page was closed before the answer was whole").wait_for()
    assert page.get_by_text("Stopped.").count() == 0


def test_a_gateway_that_is_away_and_comes_back_is_told_and_no_reload_is_needed(
    signed_in: Any, home: RunningHome
) -> None:
    page = signed_in
    page.route("**/healthz", lambda route: route.abort())
    page.route("**/v1/**", lambda route: route.abort())
    page.get_by_role("link", name="Documents").click()
    page.locator(".banner").get_by_text("Groundwork can't be reached").wait_for()
    page.unroute("**/healthz")
    page.unroute("**/v1/**")
    page.get_by_text("Groundwork is back.").wait_for()
    page.get_by_text("Groundwork can't be reached").first.wait_for(state="detached")
    page.get_by_role("link", name="Usage").click()
    page.get_by_role("heading", name="Usage", exact=True).wait_for()


def test_what_could_not_be_read_while_nobody_answered_is_read_once_somebody_does(
    signed_in: Any, home: RunningHome, handbook: Collection
) -> None:
    page, listed = signed_in, "**/v1/collections?*"
    page.route(listed, lambda route: route.abort())
    page.goto(f"{home.base_url}/console/#/documents")
    page.reload()
    page.get_by_role("main").get_by_role("alert").get_by_text("Groundwork can't be reached").wait_for()
    page.unroute(listed)
    page.locator("td button.link").first.wait_for()
    page.get_by_text("Groundwork can't be reached").first.wait_for(state="detached")


def test_a_service_that_is_away_is_said_where_it_is_missed_until_it_is_tried_again(
    signed_in: Any, home: RunningHome, handbook: Collection
) -> None:
    page, listed = signed_in, "**/v1/collections?*"
    for place, there in (("documents", "td button.link"), ("search", ".lab-form"), ("chat", ".chip")):
        page.route(listed, lambda route: route.fulfill(status=503, json={"error": AWAY}))
        page.goto(f"{home.base_url}/console/#/{place}")
        page.reload()
        page.get_by_role("main").get_by_role("alert").get_by_text(AWAY["message"]).wait_for()
        assert page.get_by_text("Looking …").count() == 0
        page.unroute(listed)
        page.get_by_role("button", name="Try again").click()
        page.locator(there).first.wait_for()
        assert page.get_by_text(AWAY["message"]).count() == 0


def test_a_late_reply_to_an_earlier_call_does_not_hide_that_nobody_answers(signed_in: Any) -> None:
    page = signed_in
    page.get_by_label("Question", exact=True).wait_for()
    held: list[Any] = []
    page.route("**/v1/agents", lambda route: held.append(route))
    page.route("**/healthz", lambda route: route.abort())
    page.route("**/v1/tools", lambda route: route.abort())
    page.evaluate(
        """async () => {
      const { call } = await import(%s);
      window.early = call("GET", ["agents"]);
      await call("GET", ["tools"]).catch(() => null);
    }"""
        % (MODULE % "api/client.js")
    )
    page.get_by_role("alert").get_by_text("Groundwork can't be reached").wait_for()
    held[0].fulfill(json={"data": []})
    page.evaluate("window.early")
    assert page.get_by_text("Groundwork can't be reached").count() == 1
    page.unroute("**/healthz")
    page.get_by_text("Groundwork is back.").wait_for()


def test_pages_are_loaded_when_they_are_first_opened(signed_in: Any) -> None:
    page = signed_in
    assert not [name for name in page.evaluate(LOADED) if "/usage/" in name or name.endswith("pages/usage.js")]
    page.get_by_role("link", name="Usage").click()
    page.get_by_role("heading", name="Usage", exact=True).wait_for()
    assert [name for name in page.evaluate(LOADED) if name.endswith("pages/usage.js")]


def test_a_page_that_can_not_be_loaded_says_so_and_a_reload_brings_it(signed_in: Any) -> None:
    page = signed_in
    page.route("**/pages/usage.js", lambda route: route.fulfill(status=404))
    page.get_by_role("link", name="Usage").click()
    page.get_by_role("alert").get_by_text("could not be loaded").wait_for()
    page.get_by_role("link", name="Chat").click()
    page.get_by_label("Question", exact=True).wait_for()
    page.get_by_role("link", name="Usage").click()
    page.get_by_role("alert").get_by_text("could not be loaded").wait_for()
    page.unroute("**/pages/usage.js")
    page.get_by_role("button", name="Reload").click()
    page.get_by_role("heading", name="Usage", exact=True).wait_for()


def test_a_tab_of_an_older_console_goes_on_and_is_never_mixed_with_the_newer_one(signed_in: Any) -> None:
    page = signed_in
    _other_version(page)
    page.get_by_role("link", name="Usage").click()
    page.get_by_role("main").get_by_text("Groundwork was upgraded since this tab was opened").wait_for()
    assert not [name for name in page.evaluate(LOADED) if name.endswith("pages/usage.js")]
    page.get_by_role("link", name="Chat").click()
    page.get_by_label("Question", exact=True).wait_for()
    page.get_by_role("alert").get_by_text("Groundwork was upgraded").wait_for()
    page.unroute("**/console/version")
    page.get_by_role("button", name="Reload").click()
    page.get_by_role("link", name="Usage").click()
    page.get_by_role("heading", name="Usage", exact=True).wait_for()


def test_a_page_of_which_the_code_fails_says_so(signed_in: Any) -> None:
    page = signed_in
    broken = "export function Usage() { throw new Error('no such part'); }"
    page.route("**/pages/usage.js", lambda route: route.fulfill(body=broken, content_type="text/javascript"))
    page.get_by_role("link", name="Usage").click()
    page.get_by_role("alert").get_by_text("no such part").wait_for()
    page.get_by_role("link", name="Documents").click()
    page.get_by_role("heading", name="Collections").wait_for()
