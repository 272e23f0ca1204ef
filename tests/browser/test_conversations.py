"""Conversations: kept by the server, so that nothing that happens to a tab loses one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
from tests.browser.visitor import MODULE, ask, choose
from tests.support.home.stack import RunningHome

from contracts.agents.runs import NewMessage
from contracts.retrieval.collections import Collection
from servicekit.guards.detectors import PersonalData, Secrets

QUESTION = "How many days of paid holiday does a full-time employee get per year?"
NOTICE = "How much notice does a manager need for an absence of 3 to 10 days?"
LEAVE = "How many days of notice does a holiday of a week need?"
CARD = "I would like to know, before I plan anything for this summer, if my card 4111 1111 1111 1111 has been charged."
REFUSED = "Not kept by the server"
MANY = 500
KEPT = """async (id) => {
  const { data } = await (await fetch(`../v1/threads/${id}/history`)).json();
  return data.length === 2 && data[0].content.includes("notice");
}"""

KEPT_QUESTIONS = """async ([id, questions]) => {
  const { data } = await (await fetch(`../v1/threads/${id}/history`)).json();
  const asked = data.filter(({ role }) => role === "user").map(({ content }) => content);
  return data.length === 2 * questions.length && asked.join() === questions.join();
}"""

NAMES = f"""async () => {{
  const {{ newKey }} = await import({MODULE % "api/client.js"});
  return Array.from({{ length: 1000 }}, newKey);
}}"""

KEPT_AND_LEFT = f"""async (address) => {{
  const {{ current }} = await import({MODULE % "chat/conversation.js"});
  current.value = "thread_kept";
  history.pushState(null, "", address);
  await new Promise((done) => setTimeout(done, 500));
  dispatchEvent(new HashChangeEvent("hashchange"));
}}"""
"""A conversation is kept just when somebody has gone to another page, of which the browser has still to tell."""


def _said(page: Any) -> list[str]:
    return [" ".join(text.split()) for text in page.locator(".turn .answer").all_text_contents()]


def test_a_conversation_is_saved_as_a_file_with_its_sources(signed_in: Any, handbook: Collection) -> None:
    page = signed_in
    page.reload()
    choose(page, "handbook")
    ask(page, QUESTION)
    page.wait_for_function("() => location.hash.startsWith('#/chat/thread_')")
    with page.expect_download() as saved:
        page.locator(".threads li:has(a[aria-current])").get_by_role("button", name="Export").click()
    assert saved.value.suggested_filename.endswith(".md")
    text = Path(saved.value.path()).read_text()
    assert f"## {QUESTION}" in text
    assert "[1] Leave Policy: “" in text


def test_a_conversation_goes_on_in_another_browser_is_renamed_and_deleted(
    signed_in: Any, home: RunningHome, handbook: Collection, chromium: Any
) -> None:
    page = signed_in
    page.reload()
    choose(page, "handbook")
    ask(page, QUESTION)
    page.wait_for_function("() => location.hash.startsWith('#/chat/thread_')")
    here = page.locator(".threads li:has(a[aria-current])")
    here.get_by_role("button", name="Rename").click()
    page.get_by_label("Title").wait_for()
    page.keyboard.press("Control+A")  # one can type at once, here and in what is edited below
    page.keyboard.type("<b>Time off</b>")
    page.get_by_role("button", name="Save").click()
    here.get_by_role("link", name="<b>Time off</b>").wait_for()
    said, thread = _said(page), page.url.rpartition("/")[2]
    page.get_by_role("button", name="Edit").click()
    page.get_by_label("Edited question").wait_for()
    page.keyboard.press("Control+A")
    page.keyboard.type(NOTICE)
    page.locator(".edit button.primary").click()
    page.get_by_role("button", name="Copy with sources").wait_for()
    page.wait_for_function(KEPT, arg=thread)
    edited = _said(page)
    assert edited != said
    context = chromium.new_context()
    other = context.new_page()
    other.goto(f"{home.base_url}/console/#token={home.client.session_token().token}")
    other.get_by_role("link", name="<b>Time off</b>").click()
    other.locator(".turn .marker").first.wait_for()
    assert _said(other) == edited
    other.locator(".turn .marker").first.click()
    other.locator("aside mark, aside canvas[data-boxes]").first.wait_for()
    context.close()
    here.get_by_role("button", name="Delete").click()
    page.locator(".threads .danger").click()
    page.get_by_role("heading", name="What would you like to know?").wait_for()
    assert thread not in [one.id for one in home.client.threads.list()]
    page.goto(f"{home.base_url}/console/#/chat/{thread}")
    page.get_by_role("alert").get_by_text("no such conversation").wait_for()


def test_a_long_conversation_opens_with_its_end_and_stays_small(signed_in: Any, home: RunningHome) -> None:
    page = signed_in
    thread = home.client.threads.create({"title": "A long one"}).id
    turn = [("user", "Question"), ("assistant", "Answer")]
    said = [NewMessage(role=role, content=f"{word} {n}") for n in range(MANY) for role, word in turn]  # type: ignore[arg-type]
    for first in range(0, len(said), 100):
        home.client.threads.add(thread, said[first : first + 100])
    page.goto(f"{home.base_url}/console/#/chat/{thread}")
    page.get_by_text(f"Answer {MANY - 1}", exact=True).wait_for()
    assert page.evaluate("document.querySelectorAll('*').length") <= 3000
    page.get_by_role("button", name="earlier questions").click()
    page.get_by_text(f"Answer {MANY - 80}", exact=True).wait_for()


def test_a_turn_that_guardrails_refuse_is_left_out_and_the_rest_is_kept(
    page: Any, home: RunningHome, http: httpx2.Client, handbook: Collection
) -> None:
    scopes = ["chat", "search", "documents"]
    body = {"name": "guarded", "tenant": "default", "scopes": scopes, "guardrails": {"input": {"pii": "block"}}}
    made = http.post("/v1/keys", json=body)
    made.raise_for_status()
    page.goto(f"{home.base_url}/console/")
    page.get_by_label("API key").fill(made.json()["secret"])
    page.keyboard.press("Enter")
    choose(page, "handbook")
    page.get_by_label("Question", exact=True).fill(CARD)
    page.keyboard.press("Enter")
    page.get_by_text(REFUSED).wait_for()
    ask(page, QUESTION)
    page.locator(".threads").get_by_role("link", name=QUESTION).wait_for()
    page.get_by_label("Question", exact=True).fill(CARD)
    page.keyboard.press("Enter")
    page.get_by_text(REFUSED).nth(1).wait_for()
    page.get_by_label("Question", exact=True).fill(LEAVE)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Copy with sources").nth(1).wait_for()
    page.wait_for_function(KEPT_QUESTIONS, arg=[page.url.rpartition("/")[2], [QUESTION, LEAVE]])
    assert page.locator(".threads li").count() == 1
    page.reload()
    page.locator(".turn").nth(1).wait_for()
    assert page.locator(".turn .question").all_text_contents() == [QUESTION, LEAVE]
    assert page.get_by_text(REFUSED).count() == 0


def test_a_conversation_that_was_left_while_the_server_was_away_is_kept_once_it_is_back(
    signed_in: Any, handbook: Collection
) -> None:
    page, question = signed_in, "How many days of holiday are there, asked while nothing is kept?"
    page.reload()
    choose(page, "handbook")
    page.route("**/v1/threads", lambda route: route.abort())
    ask(page, question)
    page.get_by_role("alert").get_by_text("Groundwork can't be reached").wait_for()
    page.get_by_role("button", name="New conversation").click()
    page.get_by_role("heading", name="What would you like to know?").wait_for()
    page.unroute("**/v1/threads")
    page.locator(".threads").get_by_role("link", name=question).click()
    page.get_by_role("button", name="Copy with sources").wait_for()
    assert page.locator(".turn").count() == 1


def test_a_turn_that_a_busy_server_could_not_keep_is_kept_a_little_later(signed_in: Any, handbook: Collection) -> None:
    page, calls = signed_in, []
    page.reload()
    choose(page, "handbook")

    def be_busy(route: Any) -> None:
        calls.append(route.request.post_data)
        if len(calls) <= 2:
            route.fulfill(status=503, json={"error": {"code": "overloaded", "message": "Too much at once."}})
        else:
            route.continue_()

    page.route("**/v1/threads/*/messages", be_busy)
    ask(page, LEAVE)
    page.wait_for_function("() => location.hash.startsWith('#/chat/thread_')")
    page.wait_for_function(KEPT, arg=page.url.rpartition("/")[2])
    assert len(calls) > 2


def test_a_list_of_conversations_that_comes_late_loses_none_that_began_meanwhile(
    signed_in: Any, handbook: Collection
) -> None:
    page, question, held = signed_in, "How long is the notice period, asked before the list is there?", []
    page.route("**/v1/threads?*", lambda route: held.append((route, route.fetch())))
    page.reload()
    choose(page, "handbook")
    ask(page, question)
    kept = page.locator(".threads").get_by_role("link", name=question)
    kept.wait_for()
    before = page.locator(".threads li").count()
    for route, reply in held:
        route.fulfill(response=reply)
    page.wait_for_function("(before) => document.querySelectorAll('.threads li').length > before", arg=before)
    assert kept.count() == 1


def test_what_is_kept_as_somebody_goes_on_leads_nobody_back(signed_in: Any, handbook: Collection) -> None:
    page = signed_in
    page.reload()
    choose(page, "handbook")
    page.evaluate(KEPT_AND_LEFT, "#/search")
    page.locator("nav [aria-current=page]", has_text="Search lab").wait_for()
    assert page.url.endswith("#/search")


def test_no_guardrail_takes_the_name_of_a_conversation_for_personal_data(signed_in: Any) -> None:
    names = signed_in.evaluate(NAMES)
    assert len(set(names)) == 1000
    assert [name for name in names if PersonalData().find(name) or Secrets().find(name)] == []


def test_what_was_kept_and_not_confirmed_is_kept_once_and_not_said_to_be_another_tab_s(
    signed_in: Any, handbook: Collection
) -> None:
    page = signed_in
    sent: list[tuple[str | None, str | None]] = []
    page.reload()
    choose(page, "handbook")

    def lose_first_reply(route: Any) -> None:
        sent.append((route.request.headers.get("idempotency-key"), route.request.post_data))
        if len(sent) == 1:
            route.fetch()
            route.abort()
        else:
            route.continue_()

    page.route("**/v1/threads/*/messages", lose_first_reply)
    ask(page, LEAVE)
    page.wait_for_function("() => location.hash.startsWith('#/chat/thread_')")
    page.wait_for_function(KEPT, arg=page.url.rpartition("/")[2])
    page.get_by_text("Groundwork can't be reached").wait_for(state="detached")
    assert sent[0] == sent[1]
    assert sent[0][0]
    assert page.get_by_text("another tab").count() == 0
