from __future__ import annotations

import numpy as np
import pytest

from agent.answering.surveys.centrality import MAX_CHARACTERS, choose, tells
from agent.relevance.passages import Passage, passages
from agent.testing.scripted_answers import bag_of_stems, hit


def _passages(*sentences: str) -> list[Passage]:
    return passages([hit("\n\n".join(sentences))])


@pytest.mark.parametrize(
    "text",
    [
        "Owner: Sanne Okoro, Head of People at the office in Haldermeer",
        "Document OI-HR-02 is version 4.1 of the policy of all the sites.",
        "Published internally by the head of the whole company on 22 November 2024.",
        "This is why we have always done it that way in Aarhus.",
        "Page 3 of 14 of the manual for all the weather stations that we sell",
        "Call the security line.",
        "You must bring all of the following things with you on the first day:",
        "THE CHAIR: Nobody has asked for a vote of the members on this.",
        "If I were clever, I would go home before all of this begins.",
        "What do I have to do when the battery of my station is empty?",
    ],
)
def test_what_can_not_stand_alone_tells_nothing(text: str) -> None:
    assert not any(map(tells, _passages(text, "Another paragraph follows here.")))


def test_a_sentence_of_its_own_tells() -> None:
    assert all(map(tells, _passages("Full-time employees receive 27 days of paid leave in every calendar year.")))


def test_of_two_that_say_the_same_the_one_with_names_and_numbers_is_chosen() -> None:
    found = _passages(
        "The members of the board met again and spoke of the plans for the next years.",
        "In 2024 the Board of Osterfenn gave EUR 40,000 for the plans of the next years.",
    )
    vectors = [np.ones(2, dtype=np.float32), np.ones(2, dtype=np.float32)]
    assert choose(found, vectors, None, 1) == [found[1]]


def test_the_sentences_that_share_most_are_chosen_in_reading_order() -> None:
    found = _passages(
        "The broker of the platform lost its certificate in the night of the outage.",
        "Coffee in the canteen of Haldermeer is free for guests on every single day.",
        "The outage of the platform ended when the broker had a new certificate again.",
    )
    vectors = [bag_of_stems(passage.text) for passage in found]
    chosen = choose(found, vectors, bag_of_stems("Outage of the platform"), 2)
    assert [passage.text[:10] for passage in chosen] == ["The broker", "The outage"]


def test_without_vectors_words_decide() -> None:
    found = _passages("One broker failed in the night.", "The broker failed again in that night.", "Lunch was fish.")
    assert len(choose(found, None, None, 2)) == 2
    assert choose([], None, None, 3) == []


def test_a_summary_is_never_longer_than_its_bound() -> None:
    found = _passages(*(f"{word} " * 60 + "ends." for word in ("alpha", "beta", "gamma", "delta", "epsilon")))
    vectors = [np.eye(5, dtype=np.float32)[at % 5] for at in range(len(found))]
    assert sum(len(one.text) for one in choose(found, vectors, None, 5)) <= MAX_CHARACTERS


def test_cosines_that_are_all_high_choose_as_those_that_are_spread() -> None:
    found = _passages(
        "The broker of the platform lost its certificate in the night of the outage.",
        "The broker of the platform lost its certificate during that night of outage.",
        "Coffee in the canteen of Haldermeer is free for guests on every single day.",
        "The outage of the platform ended when the broker had a new certificate again.",
    )
    spread = [bag_of_stems(passage.text) for passage in found]
    title = bag_of_stems("Outage of the platform")
    common, unrelated = np.full(256, 1 / 16, dtype=np.float32), 0.8
    high = [np.sqrt(unrelated) * common + np.sqrt(1 - unrelated) * (one - one.mean()) for one in (*spread, title)]
    chosen = choose(found, spread, title, 2)
    assert [one.text for one in choose(found, high[:-1], high[-1], 2, unrelated)] == [one.text for one in chosen]


def test_a_chinese_sentence_tells_by_its_characters() -> None:
    assert all(
        map(tells, _passages("图书馆每周二至周日上午九点开放，周一闭馆。", "另一段也介绍图书馆的开放时间和闭馆时间。"))
    )
    assert not any(map(tells, _passages("周一闭馆。", "谢谢大家。")))


@pytest.mark.parametrize(
    "text",
    [
        "Mr. Speaker, Madam Vice President, members of the Congress, my fellow citizens of this country.",
        "And there is more to do before all of us feel what we have been doing here.",
        "provided that the inner race of the bearing is clamped to the structure by the nut.",
        "2.7 Workout modes of the watch and what each of them is for ..... 17",
    ],
)
def test_greetings_half_sentences_and_contents_tell_nothing(text: str) -> None:
    assert not any(map(tells, _passages(text, "Another paragraph follows here.")))
