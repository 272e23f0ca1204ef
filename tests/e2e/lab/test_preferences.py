"""What people corrected and compared teaches the packaged model what they prefer, by OpenAI's client, from a question
to the model that serves."""

from __future__ import annotations

import json
import math
import time
from typing import Any

import httpx2
from openai import OpenAI
from openai.types.chat import ChatCompletion
from tests.support.home.stack import RunningHome
from tests.support.ingest.peers import until

from contracts.access.delegation import Scope

SECONDS = 900
SCOPES: tuple[Scope, ...] = ("chat", "feedback:review", "records:read", "evaluations:read", "evaluations:write")
TOPICS = (
    *("refund", "delivery", "warranty", "invoice", "password", "account", "discount", "repair", "payment", "visit"),
    *("parcel", "voucher", "contract", "receipt", "deposit", "claim", "order", "return", "booking", "licence"),
)
ASKS = "Whom do I ask about my {}?"
ENDS = [".", ",", "!", "?", "\n"]
"""Of answers here, which are whole and short: what a limit of tokens cuts is in no export."""
HYPERPARAMETERS = {"n_epochs": 1, "batch_size": 4, "learning_rate_multiplier": 5.0}


def ask(openai: OpenAI, model: str, topic: str, **options: Any) -> ChatCompletion:
    asked: Any = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": ASKS.format(topic)}]
    said: ChatCompletion = openai.chat.completions.create(
        model=model, messages=asked, **{"max_tokens": 64, "stop": ENDS, **options}
    )
    return said


def test_what_people_prefer_is_learnt_from_their_feedback_and_serves(home: RunningHome) -> None:
    key = home.client.keys.create("preferences", tenant="preferences", scopes=SCOPES, records="full")
    headers = {"Authorization": f"Bearer {key.secret}"}
    with (
        OpenAI(base_url=f"{home.base_url}/v1", api_key=key.secret, max_retries=2) as openai,
        httpx2.Client(base_url=home.base_url, headers=headers, timeout=120) as http,
    ):
        judge_answers(openai, http)
        sets = {split: save_export(http, split) for split in ("train", "test")}
        method: Any = {"type": "dpo", "dpo": {"hyperparameters": {**HYPERPARAMETERS, "beta": 0.2}}}
        made = openai.fine_tuning.jobs.create(
            model="smollm2",
            training_file=sets["train"],
            validation_file=sets["test"],
            suffix="desks",
            seed=7,
            method=method,
        )
        assert made.method is not None
        assert made.method.dpo is not None
        assert made.method.dpo.hyperparameters is not None
        assert made.method.dpo.hyperparameters.beta == 0.2
        deadline = time.monotonic() + SECONDS
        while (job := openai.fine_tuning.jobs.retrieve(made.id)).status not in ("succeeded", "failed"):
            assert time.monotonic() < deadline, job
            time.sleep(0.5)
        assert (job.status, job.error) == ("succeeded", None)
        report = http.get(f"/v1/fine_tuning/jobs/{job.id}").json()["groundwork"]
        figures = report["figures"]
        assert figures["preference_accuracy_after"] > figures["preference_accuracy_before"], report
        assert report["verdict"] == "better", report
        assert "preference_accuracy" in report["words"]
        assert figures["valid_loss"] < math.log(2), report
        assert report["parity"].startswith("passed: "), report
        steps = [one.data for one in openai.fine_tuning.jobs.list_events(job.id) if one.type == "metrics"]
        assert any("valid_reward_margin" in (step or {}) for step in steps), steps  # type: ignore[operator]
        tuned = job.fine_tuned_model
        assert tuned == "smollm2+preferences.desks", report
        until(lambda: http.get(f"/v1/models/{tuned}").json().get("state") == "ready", "a published model")
        said = ask(openai, tuned, TOPICS[0], temperature=0)
        assert (said.model, bool(said.choices[0].message.content)) == (tuned, True)
        assert http.delete(f"/v1/fine_tuning/jobs/{job.id}").status_code == 204


def judge_answers(openai: OpenAI, http: httpx2.Client) -> None:
    """One answer to each question is corrected; of one question a second answer is liked less. One answer was cut by
    its limit of tokens, and its correction is of no use."""
    cut = ask(openai, "smollm2", "cut", max_tokens=1, stop=None)
    assert cut.choices[0].finish_reason == "length"
    rate(http, answer_id=cut.id, rating="down", correction="Ask the cut desk.")
    for topic in TOPICS:
        said = ask(openai, "smollm2", topic, temperature=0)
        assert (said.choices[0].finish_reason, bool(said.choices[0].message.content)) == ("stop", True)
        rate(http, answer_id=said.id, rating="down", correction=f"Ask the {topic} desk.")
    one, other = (ask(openai, "smollm2", TOPICS[1], temperature=1, seed=seed) for seed in (1, 2))
    assert one.choices[0].message.content != other.choices[0].message.content
    rate(http, answer_id=one.id, preferred_over=other.id)


def rate(http: httpx2.Client, **said: Any) -> None:
    assert http.post("/v1/feedback", json={"user": "jane", **said}).status_code == 201


def save_export(http: httpx2.Client, split: str) -> str:
    """A half of the pairs as a question set; records are written in groups, some time after their answers."""

    def lines(one: str) -> list[str]:
        params = {"format": "preference", "split": one, "test_percent": "50"}
        return http.get("/v1/feedback/export", params=params).text.splitlines()

    until(lambda: len(lines("train")) + len(lines("test")) == len(TOPICS) + 1, "a pair of each judgement")
    found = lines(split)
    assert json.loads(found[0]).keys() == {"prompt", "chosen", "rejected"}
    file = {"format": "preference", "name": f"{split}.jsonl", "text": "\n".join(found)}
    saved = http.post("/v1/question-sets", json={"name": f"preferred-{split}", "file": file})
    assert saved.status_code == 201, saved.text
    return f"set:preferred-{split}@1"
