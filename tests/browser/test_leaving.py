"""Leaving the tab: the browser asks where something would be lost, and nowhere else."""

from __future__ import annotations

from typing import Any

from tests.browser.visitor import ask, choose
from tests.support.home.stack import RunningHome

from contracts.retrieval.collections import Collection

QUESTION = "How many days of paid holiday does a full-time employee get per year?"
ASKS = """() => {
  const leaving = new Event("beforeunload", { cancelable: true });
  dispatchEvent(leaving);
  return leaving.defaultPrevented;
}"""


def _look_at(page: Any, pattern: str) -> list[bool]:
    """Whether leaving asks, looked at when each such POST is about to be sent."""
    looked: list[bool] = []

    def look(route: Any) -> None:
        if route.request.method == "POST":
            looked.append(page.evaluate(ASKS))
        route.continue_()

    page.route(pattern, look)
    return looked


def test_leaving_asks_while_an_answer_is_on_its_way_and_not_once_it_is_kept(
    signed_in: Any, handbook: Collection
) -> None:
    page = signed_in
    page.reload()
    choose(page, "handbook")
    assert not page.evaluate(ASKS)
    looked = _look_at(page, "**/v1/chat/completions")
    ask(page, QUESTION)
    assert looked == [True]
    page.wait_for_function(f"() => !({ASKS})()")


def test_leaving_asks_while_a_file_is_only_here_and_while_an_agent_is_edited(signed_in: Any, home: RunningHome) -> None:
    page, name = signed_in, "leaving"
    home.client.collections.ensure(name)
    page.goto(f"{home.base_url}/console/#/documents/{name}")
    looked = _look_at(page, f"**/v1/collections/{name}/documents")
    file = {"name": "kettle.md", "mimeType": "text/markdown", "buffer": b"The kettle boils for 95 seconds."}
    page.locator("input[type=file][multiple]").set_input_files([file])
    page.locator('[data-state="working"], [data-state="ready"]').wait_for()
    assert looked == [True]
    assert not page.evaluate(ASKS), "the server has it"
    page.get_by_role("link", name="Agents", exact=True).click()
    page.get_by_role("button", name="New agent").click()
    page.get_by_label("Name").wait_for()
    assert not page.evaluate(ASKS)
    page.get_by_label("Name").fill("kettle")
    assert page.evaluate(ASKS)
    page.get_by_role("button", name="Cancel").click()
    page.get_by_label("Name").wait_for(state="hidden")
    page.wait_for_function(f"() => !({ASKS})()")  # what a part of a page leaves is undone after the next picture
