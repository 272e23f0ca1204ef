"""The pictures of docs/console.md and of the README, but for those of what takes long to come about."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from tests.browser.pictures import take
from tests.browser.visitor import ask, choose
from tests.support.home.stack import RunningHome, usage_at_rest
from tests.support.ingest.peers import until

from contracts.retrieval.collections import Collection

DOWN = "panel => { for (const part of [panel, ...panel.querySelectorAll('*')]) part.scrollTop = part.scrollHeight }"
QUESTION = "How many days of paid holiday does a full-time employee get per year?"
RULES = [
    {"when": r"\b1242\b", "reply": "Forty-six nights at 27 EUR come to 1242 EUR."},
    {"when": ".", "reply": '{"name": "calculator", "arguments": {"expression": "46 * 27"}}'},
]


@pytest.fixture
def window(signed_in: Any, handbook: Collection) -> Any:
    """A page that knows the handbook, with nothing that moves or blinks."""
    signed_in.set_viewport_size({"width": 1280, "height": 720})
    signed_in.emulate_media(color_scheme="light", reduced_motion="reduce")
    signed_in.reload()
    signed_in.get_by_role("button", name="handbook", exact=True).wait_for()
    return signed_in


def test_an_answer_with_its_source(window: Any) -> None:
    choose(window, "handbook")
    ask(window, QUESTION)
    window.locator(".answer .marker").first.click()
    window.locator("aside mark").wait_for()
    take(window, "answer")


def test_documents(window: Any) -> None:
    window.get_by_role("link", name="Documents").click()
    window.get_by_role("link", name="handbook").click()
    window.locator("tbody tr").first.wait_for()
    window.get_by_role("button", name="Details of Leave Policy").click()
    about = window.get_by_role("complementary", name="About Leave Policy")
    about.get_by_role("button", name=re.compile("Show how it was cut")).click()
    about.get_by_text("Annual leave").last.wait_for()
    about.evaluate(DOWN)
    take(window, "documents")  # scrolled down: the metadata of a file from a disk has its path


def test_the_search_lab(window: Any, home: RunningHome) -> None:
    window.goto(f"{home.base_url}/console/#/search/handbook?q=hotel+price+limit&limit=5")
    for way in ("dense", "sparse", "hybrid", "reranked"):
        window.locator(f'[data-way="{way}"][data-state="done"]').wait_for()
    take(window, "search-lab")


def test_a_run_of_an_agent(window: Any, home: RunningHome, http: httpx2.Client) -> None:
    model = {"kind": "chat", "engine": "scripted", "context_length": 8000, "source": {"rules": RULES}}
    http.put("/v1/models/counting", json=model).raise_for_status()
    agent = {"name": "travel-desk", "model": "counting", "instructions": "Add up.", "tools": ["calculator"]}
    http.post("/v1/agents", json=agent).raise_for_status()
    thread = http.post("/v1/threads", json={}).json()["id"]
    body = {"agent": "travel-desk", "input": "What do 46 nights at 27 EUR cost?"}
    run = http.post(f"/v1/threads/{thread}/runs", json=body).json()["id"]
    window.goto(f"{home.base_url}/console/#/agents/travel-desk?thread={thread}&run={run}")
    window.locator('.run [data-status="completed"]').wait_for()
    window.locator('[data-call="calculator"] summary').click()
    take(window, "agents")
    http.delete("/v1/models/counting").raise_for_status()


def test_prompts(window: Any, home: RunningHome, http: httpx2.Client) -> None:
    rules = [
        {"when": "one word", "reply": "Thirty."},
        {
            "when": ".",
            "reply": "Full-time employees have thirty days of paid holiday a year, and part-time ones a share.",
        },
    ]
    model = {"kind": "chat", "engine": "scripted", "context_length": 8000, "source": {"rules": rules}}
    http.put("/v1/models/desk", json=model).raise_for_status()
    said = ("You answer for {{team}}.", "You answer for {{team}}, in one word where one is enough.")
    for text, label in zip(said, ("stable", "candidate"), strict=True):
        messages = [{"role": "system", "content": f"{text}\nWrite in {{{{language}}}}."}]
        variables = {"team": {"description": "who is asked"}, "language": {"default": "English"}}
        body = {"name": "help-desk", "model": "desk", "messages": messages, "variables": variables, "label": label}
        http.post("/v1/prompts", json=body).raise_for_status()
    window.goto(f"{home.base_url}/console/#/prompts/help-desk?version=2")
    window.get_by_text("What changed between versions").click()
    window.locator('.diff [data-change="+"]').first.wait_for()
    take(window, "prompts")
    form = window.get_by_role("form", name="Try it")
    form.get_by_label("team").fill("the staff office")
    form.get_by_label("Questions, one a line").fill(QUESTION)
    form.get_by_role("button", name="Try it").click()
    window.locator(".tried .said").nth(1).wait_for()
    window.locator("section.inside").evaluate(DOWN)
    take(window, "prompts-try")
    http.delete("/v1/prompts/help-desk").raise_for_status()
    http.delete("/v1/models/desk").raise_for_status()


def test_experiments(window: Any, home: RunningHome, http: httpx2.Client) -> None:
    question = {"model": "support", "messages": [{"role": "user", "content": "How many days of holiday?"}]}
    for name, reply in (("brief", "Thirty."), ("polite", "Of course! You have thirty days of paid holiday a year.")):
        price = {"prompt_usd_per_million": "1.1", "completion_usd_per_million": "2.3"}
        source = {"rules": [{"when": ".", "reply": reply}]}
        model = {"kind": "chat", "engine": "scripted", "context_length": 8000, "source": source, "price": price}
        http.put(f"/v1/models/{name}", json=model).raise_for_status()
    targets = [{"model": "polite"}, {"model": "brief"}]
    spec = {"targets": targets, "split_by": "user", "guard": {"metric": "error_rate"}}
    http.put("/v1/routes/support", json=spec).raise_for_status()
    for number in range(100):
        asked = {**question, "user": f"person-{number}", "seed": number}
        http.post("/v1/chat/completions", json=asked).raise_for_status()
    usage_at_rest(home)
    window.goto(f"{home.base_url}/console/#/experiments/support")
    window.locator('[data-measure="latency_ms"] svg').last.wait_for()
    take(window, "experiments")
    http.delete("/v1/routes/support").raise_for_status()
    for name in ("brief", "polite"):
        http.delete(f"/v1/models/{name}").raise_for_status()


def test_evaluations(window: Any, home: RunningHome, http: httpx2.Client) -> None:
    known = {"holiday": "Thirty days", "trip": "The lead", "laptop": "IT", "phone": "IT", "night": "120 EUR"}
    items = [
        {"question": f"What of the {word} {at}?", "answers": [said], "labels": ["travel" if at % 2 else "staff"]}
        for at in range(1, 7)
        for word, said in known.items()
    ]
    http.post("/v1/question-sets", json={"name": "help-desk", "items": items}).raise_for_status()
    for name, few in (("desk-small", 2), ("desk-large", 5)):
        rules = [{"when": word, "reply": f"{known[word]}, as the handbook has it."} for word in [*known][:few]]
        source = {"rules": [*rules, {"when": ".", "reply": "I do not know."}]}
        model = {"kind": "chat", "engine": "scripted", "context_length": 8000, "source": source}
        http.put(f"/v1/models/{name}", json=model).raise_for_status()
    ids = [home.client.evaluations.start("help-desk", name).id for name in ("desk-small", "desk-large")]
    assert {home.client.evaluations.wait(one).status for one in ids} == {"completed"}
    window.goto(f"{home.base_url}/console/#/evaluations/runs/{ids[1]}?with={ids[0]}")
    window.locator('[data-changed="better"] tbody tr').first.wait_for()
    take(window, "evaluations")
    for one in ids:
        http.delete(f"/v1/evaluations/{one}").raise_for_status()
    http.delete("/v1/question-sets/help-desk").raise_for_status()
    for name in ("desk-small", "desk-large"):
        http.delete(f"/v1/models/{name}").raise_for_status()


@pytest.fixture
def recorded(http: httpx2.Client, handbook: Collection) -> Iterator[list[str]]:
    """The ids of answers from the handbook that are on record."""
    spec = {"name": "recorded", "tenant": "default", "scopes": ["chat"], "records": "full"}
    key = http.post("/v1/keys", json=spec).raise_for_status().json()
    headers, ids = {"Authorization": f"Bearer {key['secret']}"}, list[str]()
    for number, question in enumerate((QUESTION, "How much may a hotel cost?", "Who won the match?")):
        said = [{"role": "user", "content": question}]
        asked = {"model": f"rag:{handbook.name}", "messages": said, "user": f"person-{number}"}
        answer = http.post("/v1/chat/completions", json=asked, headers=headers).raise_for_status()
        ids.append(answer.json()["id"])
    until(lambda: all(http.get(f"/v1/records/{one}").status_code == 200 for one in ids), "three records")
    yield ids
    http.delete(f"/v1/keys/{key['id']}").raise_for_status()


def test_records(window: Any, home: RunningHome, recorded: list[str]) -> None:
    window.goto(f"{home.base_url}/console/#/records/{recorded[0]}")
    window.get_by_role("heading", name=QUESTION).wait_for()
    window.locator(".answer .marker").first.click()
    window.locator("details[open] .said").first.wait_for()
    take(window, "records")


def test_reviews(window: Any, home: RunningHome, http: httpx2.Client, recorded: list[str]) -> None:
    for person, labels in (("jane", ["incorrect"]), ("joe", ["incomplete"])):
        said = {"answer_id": recorded[0], "user": person, "rating": "down", "labels": labels}
        http.post("/v1/feedback", json={**said, "comment": "What of people who work part time?"}).raise_for_status()
    http.post("/v1/reviews", json={"answer_ids": recorded[:1]}).raise_for_status()
    window.goto(f"{home.base_url}/console/#/reviews")
    window.get_by_role("button", name="Take the next answer").click()
    judged = window.get_by_role("article", name="An answer to judge")
    judged.get_by_role("heading", name=QUESTION).wait_for()
    judged.get_by_role("button", name="Bad answer").click()
    judged.get_by_role("form", name="What was good or bad").wait_for()
    take(window, "reviews")
    http.delete("/v1/feedback", params={"answer_id": recorded[0]}).raise_for_status()
    for review in http.get("/v1/reviews", params={"answer_id": recorded[0]}).json()["data"]:
        http.delete(f"/v1/reviews/{review['id']}").raise_for_status()  # or whoever reviews next would be given it


def test_a_blind_comparison(window: Any, home: RunningHome, http: httpx2.Client) -> None:
    reply = "It depends on the contract, but about four weeks is usual for a full-time employee."
    rules = [{"when": ".", "reply": reply}]
    model = {"kind": "chat", "engine": "scripted", "context_length": 8000, "source": {"rules": rules}}
    spec = {"name": "judge", "tenant": "default", "scopes": ["chat", "feedback:review"], "records": "full"}
    http.put("/v1/models/small-talk", json=model).raise_for_status()
    key = http.post("/v1/keys", json=spec).raise_for_status().json()
    headers, targets = {"Authorization": f"Bearer {key['secret']}"}, ("rag:handbook", "small-talk")
    for number in range(9):
        said = [{"role": "user", "content": f"{QUESTION} Case {number}."}]
        asked = [{"model": target, "messages": said} for target in targets]
        answers = [http.post("/v1/chat/completions", json=one, headers=headers).json()["id"] for one in asked]
        better, other = answers if number != 4 else answers[::-1]
        choice = {"answer_id": better, ("tied_with" if number == 7 else "preferred_over"): other, "blind": True}
        http.post("/v1/feedback", json=choice, headers=headers).raise_for_status()
    http.patch("/v1/tenants/default", json={"records": "full"}).raise_for_status()
    window.goto(f"{home.base_url}/console/#/reviews/compare?first={targets[0]}&second={targets[1]}")
    form = window.get_by_role("form", name="Compare")
    form.get_by_label("Questions, one a line").fill(QUESTION)
    form.get_by_role("button", name="Ask both").click()
    window.get_by_role("button", name="A is better").wait_for()
    window.get_by_role("region", name="Tally").get_by_text("9 questions").wait_for()
    take(window, "comparisons")
    http.patch("/v1/tenants/default", json={"records": "off"}).raise_for_status()
    http.delete("/v1/feedback", params={"user": key["id"]}).raise_for_status()
    http.delete(f"/v1/keys/{key['id']}").raise_for_status()
    http.delete("/v1/models/small-talk").raise_for_status()


def test_usage(window: Any, home: RunningHome) -> None:
    usage_at_rest(home)
    window.get_by_role("link", name="Usage").click()
    window.locator(".tile").first.wait_for()
    window.locator("#budgets").wait_for()
    window.get_by_text("Looking …").first.wait_for(state="detached")
    take(window, "usage")


def test_operations(window: Any, home: RunningHome) -> None:
    window.goto(f"{home.base_url}/console/#/operations/models")
    window.get_by_role("heading", name="Models", exact=True).wait_for()
    window.get_by_text("Looking …").first.wait_for(state="detached")
    take(window, "operations")


def test_tenants(window: Any, home: RunningHome, http: httpx2.Client) -> None:
    price = {"prompt_usd_per_million": "900", "completion_usd_per_million": "1800"}
    model = {"kind": "chat", "engine": "scripted", "context_length": 8000, "source": {}, "price": price}
    http.put("/v1/models/frontier", json=model).raise_for_status()
    bounds = {"limits": {"requests_per_minute": 600, "concurrency": 8}, "records": "metadata"}
    budgets = [{"window": "day", "usd": "0.5"}, {"window": "month", "usd": "2"}]
    http.post("/v1/tenants", json={"name": "support", **bounds, "budgets": budgets}).raise_for_status()
    said = [{"role": "user", "content": "What is the limit for a hotel?"}]
    question = {"model": "frontier", "messages": said, "max_tokens": 20}
    for name, calls in (("website", 3), ("call centre", 1), ("intern's notebook", 0)):
        spec = {"name": name, "tenant": "support", "scopes": ["chat", "search"]}
        headers = {"Authorization": f"Bearer {http.post('/v1/keys', json=spec).raise_for_status().json()['secret']}"}
        for _ in range(calls):
            http.post("/v1/chat/completions", json=question, headers=headers).raise_for_status()
    usage_at_rest(home)
    window.goto(f"{home.base_url}/console/#/operations/tenants/support")
    window.get_by_text("All together").wait_for()
    take(window, "tenants")
    http.delete("/v1/models/frontier").raise_for_status()
