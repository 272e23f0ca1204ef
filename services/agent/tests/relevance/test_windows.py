from __future__ import annotations

from agent.questions.question import Question
from agent.relevance.passages import passages
from agent.relevance.ranking import rank
from agent.relevance.windows import CHARACTERS, Window, windows
from agent.testing.scripted_answers import hit

LONG = hit(" ".join(f"Sentence number {at} tells of the pump and of its many parts." for at in range(40)), "long")
TABLE = hit(
    "# Prices\n\nProduct | Price\n"
    + "\n".join(f"{name} | EUR {at}" for at, name in enumerate([*60 * ["Heron"], "Zephyr"])),
    "table",
)
NOTE = hit("# Pumps\n\nThe pump weighs 40 kilograms. It is kept dry.", "note")


def _windows(question: str, *hits: object, most: int = 6) -> list[Window]:
    found = passages(hits)  # type: ignore[arg-type]
    return windows(rank(Question(question), found, []), found, most)


def test_a_window_holds_the_best_passage_and_what_stands_around_it_in_its_hit() -> None:
    first, *others = _windows("Which parts has sentence number 20?", LONG, NOTE)
    assert "Sentence number 20" in first.text
    assert all(passage.hit is LONG for passage in first.passages)
    assert len(first.passages) > 3
    assert len(first.text) <= CHARACTERS + len(first.heading) + 1
    assert others


def test_no_passage_is_read_twice_and_no_more_windows_than_asked_for() -> None:
    made = _windows("Which parts has the pump?", LONG, NOTE, most=3)
    places = [id(passage) for window in made for passage in window.passages]
    assert len(made) == 3
    assert len(places) == len(set(places))
    assert windows([], [], 3) == []


def test_a_window_stands_under_title_and_heading_and_a_table_under_its_columns() -> None:
    (note,) = _windows("What does the pump weigh?", NOTE)
    assert note.text == f"note\n{NOTE.text}"
    later = _windows("Which parts has sentence number 20?", LONG, NOTE)[0]
    assert later.text.startswith("long\nSentence number")
    (table,) = _windows("What does the Zephyr cost?", TABLE, most=1)
    assert table.heading.splitlines()[-1] == "Product | Price"
    assert "Zephyr | EUR 60" in table.text


def test_a_span_of_the_text_is_found_as_the_passage_that_has_most_of_it() -> None:
    (window,) = _windows("What does the pump weigh?", NOTE)
    at = window.text.index("weighs 40")
    held = window.passage_at(at, at + 9)
    assert held is not None
    assert held.text == "The pump weighs 40 kilograms."
    later = window.text.index("kept dry")
    held = window.passage_at(later - 6, later + 8)
    assert held is not None
    assert held.text == "It is kept dry."
    assert window.passage_at(0, 4) is None


def test_the_passages_of_a_quote_are_those_that_it_has_a_third_of_or_that_have_half_of_it() -> None:
    (window,) = _windows("What does the pump weigh?", NOTE)

    def of(quote: str) -> list[str]:
        start = window.text.index(quote)
        return [passage.text for passage in window.passages_of(start, start + len(quote))]

    weighs, dry = "The pump weighs 40 kilograms.", "It is kept dry."
    assert of("40 kilograms") == [weighs]
    assert of("40 kilograms. It is kept dry.") == [weighs, dry]
    assert of("The pump weighs 40 kilograms. It") == [weighs]
    assert of("note") == []


def test_where_a_window_has_the_same_words_again_is_known_as_whole_words() -> None:
    (window,) = _windows("What is due?", hit("4 percent are due. Then 14 percent, 1.4 percent, and 4 percent.", "due"))
    start = window.text.index("4 percent")
    assert [window.text[:first].split()[-1] for first, _ in window.repeated(start, start + 9)] == ["due", "and"]


def test_words_that_come_again_are_found_where_no_spaces_part_them() -> None:
    (window,) = _windows("什么时候？", hit("会议将于三日举行。三日休息。", "due"))
    start = window.text.index("三日")
    assert len(window.repeated(start, start + 2)) == 2
