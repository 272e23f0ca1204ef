"""Follow-ups stand alone, and what stands alone is left as it is."""

from __future__ import annotations

import pytest

from agent.questions.condensation import MAX_LOOKED_AT, condense


@pytest.mark.parametrize(
    ("earlier", "asked", "alone"),
    [
        ([], "How long is its warranty?", "How long is its warranty?"),
        (
            ["How much does delivery to the Netherlands cost?"],
            "And to Germany?",
            "How much does delivery to the Germany cost?",
        ),
        (
            ["How much does a Causeway G1 Solar cost?"],
            "How long is its warranty?",
            "How long is its warranty (Causeway G1 Solar)?",
        ),
        (
            ["How many days of holiday do I get?"],
            "And for part-time employees?",
            "How many days of holiday do I get? for part-time employees?",
        ),
        (["What is the deposit for a demo kit?"], "Who is the head of operations?", "Who is the head of operations?"),
        (
            ["what is the hotel limit in belgium?"],
            "And in Denmark?",
            "what is the hotel limit in Denmark?",
        ),
        (
            ["how long do you keep the pictures of the cameras at the gate"],
            "and the list of people who came to visit?",
            "how long do you keep the list of people who came to visit?",
        ),
        (
            ["How long is the warranty on a Causeway gateway?"],
            "And the battery?",
            "How long is the warranty on the battery?",
        ),
        (
            ["how long is the guarantee on a probe"],
            "and if it is registered?",
            "how long is the guarantee on a probe if it is registered?",
        ),
        (["hi, what is the deposit for a kit?"], "And the shipping?", "what is the deposit for the shipping?"),
        (["when are you open on saturday", "and on sunday?"], "and monday", "when are you open on monday"),
        (["what is the fine per day in york"], "and leeds", "what is the fine per day in leeds"),
        (["what did she say about rents"], "and taxes", "what did she say about taxes"),
        (["what did she say about rents"], "and about taxes?", "what did she say about taxes?"),
        (["how many cups do the flyers have"], "and the blues?", "how many cups do the blues have?"),
        (["does acme collect my location"], "and globex?", "does globex collect my location?"),
        (["who is the manager of norwich city"], "and the captain?", "who is the captain of norwich city?"),
        (["what's roy berry's phone number"], "and his email", "his email (roy berry)"),
        (["what do ducks eat"], "and how do they breed", "how do they breed (ducks)"),
        (["was kostet ein platten"], "und eine neue kette?", "was kostet eine neue kette?"),
        (["wann habt ihr am samstag offen"], "und am montag?", "wann habt ihr am montag offen?"),
        (
            ["Wie lange gilt die Garantie auf den Rahmen?"],
            "Und auf den Akku?",
            "Wie lange gilt die Garantie auf den Akku?",
        ),
        (["wie lade ich die uhr auf"], "und wie lange dauert das?", "wie lange dauert das (lade uhr)?"),
        (["cuánto cuesta el envío a francia"], "y a alemania?", "cuánto cuesta el envío a alemania?"),
        (["quand êtes-vous ouverts le samedi"], "et le dimanche ?", "quand êtes-vous ouverts le dimanche ?"),
        (["wie weit ist es nach Bern?"], "how long is the warranty?", "how long is the warranty?"),
        ([], "Hello! How many days of leave do I get?", "How many days of leave do I get?"),
        (["What about the demo kit deposit?"], "How much?", "What about the demo kit deposit? How much?"),
    ],
)
def test_a_follow_up_gets_what_it_leans_on(earlier: list[str], asked: str, alone: str) -> None:
    assert condense(asked, earlier) == alone


def test_a_chain_of_follow_ups_keeps_its_subject() -> None:
    earlier = ["How much does a Causeway G1 Solar cost?", "How long is its warranty?"]
    assert "Causeway G1 Solar" in condense("Does it need a SIM card?", earlier)


@pytest.mark.parametrize(
    ("before", "asked", "added"),
    [
        ("Does the warranty cover batteries?", "and screens?", "screens?"),
        ("Does the warranty cover batteries?", "and the screen?", "the screen?"),
        ("Does the policy exclude floods?", "and the fires?", "the fires?"),
        ("Can employees work from home on Fridays?", "And contractors?", "contractors?"),
        ("Is smoking allowed in the building?", "and vaping?", "vaping?"),
        ("Is the pool heated?", "and the sauna?", "the sauna?"),
        ("What is the salary of engineers in Berlin?", "and designers?", "designers?"),
        ("What do employees have to pay for parking?", "and visitors?", "visitors?"),
        ("Who approves travel for interns?", "and managers?", "managers?"),
        ("Can dogs stay in the room?", "and cats?", "cats?"),
    ],
)
def test_what_may_stand_for_several_parts_is_added(before: str, asked: str, added: str) -> None:
    assert condense(asked, [before]) == f"{before} {added}"


@pytest.mark.parametrize(
    ("before", "asked", "alone"),
    [
        ("What is the limit for hotels?", "and flights?", "What is the limit for flights?"),
        ("how long is the warranty on bikes", "and helmets", "how long is the warranty on helmets"),
        ("how much does shipping cost?", "and returns?", "how much does returns cost?"),
        ("how long does the battery last?", "and the lamp?", "how long does the lamp last?"),
        ("Is smoking allowed in the building?", "and in the garden?", "Is smoking allowed in the garden?"),
    ],
)
def test_what_stands_for_one_part_alone_takes_its_place(before: str, asked: str, alone: str) -> None:
    assert condense(asked, [before]) == alone


def test_only_the_beginning_of_a_long_message_is_looked_at() -> None:
    long = "What is the price of the bike in " + "x" * MAX_LOOKED_AT
    assert len(condense("and the helmet?", [long])) <= MAX_LOOKED_AT + len(" the helmet?")
    assert condense(long, ["Where is the shop of Acme?"]) == long


def test_whose_thing_is_asked_for_is_found_behind_a_long_word() -> None:
    before = "x" * 1_000 + " what is the colour of anna's bike"
    assert condense("what about its price?", [before]) == "its price (anna)?"
