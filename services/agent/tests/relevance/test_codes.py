from __future__ import annotations

import pytest

from agent.questions.question import Question
from agent.relevance.codes import coded_first, names_unknown
from agent.relevance.passages import passages
from agent.relevance.ranking import Scored
from agent.testing.scripted_answers import hit

ERRORS = hit(
    "| Code | Meaning | What to do |\n|---|---|---|\n| E06 | Rain gauge blocked | clean the filter |\n"
    "| E11 | Heating too hot (WS3-H) | switch off the supply |",
    title="Plover WS3 manual",
)
LEVEL = hit("The L4-10 reaches to 10 m.\n\nThe L4-30 reaches to 30 m.", "level", title="Data sheet")


@pytest.mark.parametrize("asked", ["what does error E06 mean", "plover WS3 shows e06"])
def test_the_text_of_another_code_comes_last_though_it_scored_best(asked: str) -> None:
    found = [one for one in passages([ERRORS]) if one.unit.kind == "row"]
    best_first = [Scored(one, (), float(at)) for at, one in enumerate(found)][::-1]
    ordered = coded_first(Question(asked), best_first)
    assert "E06" in ordered[0].passage.text
    assert ordered[0].score > ordered[1].score + 3


def test_without_a_code_nothing_changes() -> None:
    ranked = [Scored(one, (), -float(at)) for at, one in enumerate(passages([ERRORS, LEVEL]))]
    assert coded_first(Question("What does the error mean at 2pm for 30 m?"), ranked) == ranked


def test_the_family_of_a_code_is_spoken_of_as_it_is() -> None:
    ranked = [Scored(one, (), -float(at)) for at, one in enumerate(passages([hit("The L4 floats. It is grey.")]))]
    assert [one.passage.text for one in coded_first(Question("Does the L4-30 float?"), ranked)] == [
        "The L4 floats.",
        "It is grey.",
    ]
    assert not names_unknown(Question("Does the L4-30 float?"), [one.passage for one in ranked])


@pytest.mark.parametrize(
    ("asked", "unknown"),
    [
        ("what does E31 mean", True),
        ("what does error E06 mean", False),
        ("how much is the plover WS5", True),
        ("how much is the heron S2", False),
        ("how much is the plover WS3", False),
        ("is it open at 2pm or 3pm in 2024", False),
        ("what is the range of the L4-30", False),
        ("how many are 30", False),
    ],
)
def test_of_a_code_that_is_nowhere_nothing_is_said(asked: str, unknown: bool) -> None:
    assert names_unknown(Question(asked), passages([ERRORS, LEVEL])) is unknown


@pytest.mark.parametrize(
    ("asked", "told", "unknown"),
    [
        ("What are the COVID-19 rules?", "COVID: wear a mask. Under COVID 2021 rules changed.", False),
        ("Who holds badge AB12345?", "Badges are held by reception.", False),
        ("Are we certified to ISO-9001?", "We are certified to ISO 9001 and ISO 14001.", False),
        ("Are we certified to ISO 9001?", "We are certified to ISO-9001 and ISO-14001.", False),
        ("Can I upload an MP3?", "Sound files may be uploaded, MP4 and mp3.", False),
        ("What was revenue in Q3 2025?", "Revenue in the third quarter of 2025 was 3 million.", False),
        ("May I use GPT-4?", "GPT 4 may be used, GPT-3 not.", False),
        ("May I use GPT 4?", "GPT-4 may be used, GPT-3 not.", False),
        ("Is Windows11 supported?", "Windows 10 (old) and Windows 11 are supported.", False),
        ("Do I get an iPhone-15?", "You get an iPhone 15, no iPhone 14.", False),
        ("Do you support OAuth2?", "We support OAuth 2.0, not OAuth 1.0.", False),
        ("Who signs for EUR5000?", "Up to EUR 10,000 the manager signs.", False),
        ("Does it run on K8s?", "It runs on Kubernetes.", False),
        ("Do you sell B2B?", "We sell to companies, B2C not at all.", False),
        ("How much CO2 do we emit?", "We emit 4 tonnes of carbon dioxide.", False),
        ("Does it print A4?", "A 30 page job is printed on standard paper.", False),
        ("How long is the Causeway G2?", "The Causeway G1 is 3 m long.", True),
        ("How long is the Causeway G-2?", "The Causeway G 1 (old) is 3 m long.", True),
        ("How long is the Causeway G 2?", "The Causeway G-1 is 3 m long.", True),
    ],
)
def test_only_a_sibling_in_its_place_shows_that_a_code_is_unknown(asked: str, told: str, unknown: bool) -> None:
    assert names_unknown(Question(asked), passages([hit(told, title="Handbook")])) is unknown
