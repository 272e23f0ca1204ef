"""Text from documents and models does nothing when it is shown, and reads as it was written."""

from __future__ import annotations

import json
import random

import pytest
from benchmarks.agent.fuzz_speech import PATHS, split_anywhere
from benchmarks.agent.hostile_texts import WHOLE, hostile_texts
from benchmarks.agent.rendering import live, rendered_links

from agent.sanitisation.sanitiser import MAX_HELD, Sanitiser, label, sanitise, sanitise_shaped, sanitise_value

ORDINARY = (
    "The deposit is $40.00 (about EUR 37), paid before 9:30 a.m.; see rule 4.2.1, pp. 3-5.",
    "Costs fell 3 < 4 % and x > y; below <5 m> it is 10°C, i.e. 50 °F.",
    "Use snake_case_names, *emphasis*, **bold** and ~~struck~~ text; 5 * 3 = 15.",
    "Ask J. R. Hartley (Room B-12, ext. 4711) or O'Neill & Sons, no. 7/b.",
    "| Item | Fee |\n| --- | ---: |\n| Demo kit | $25 |\n| Late (per day) | €1.50 |",
    "1. First, open the case.\n2. Then: press [Start] twice!\n   - not [Stop]\n",
    "> Quoted: “It’s fine”, he said… really?! #42 @ 10:15",
    "# Heading\n\nC:\\Users\\kim\\notes costs 50% more & R&D agrees; α ≤ β, 日本語。中文，标点！",
    "Dear team,\n\nAT&T's Q3/Q4 results: 1,234.56 (up 7%) - “well done”!\n\nBest,\nKim",
    "نمی‌خواهم कर्‍म 👩🏽‍🚀 ❤️ 1️⃣ naïve Ångström e.g. U.S. vs. U.K.; and/or [sic] (a) {b} ^c^ $x_1$",
)


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert sanitise(text) == text
    assert sanitise_shaped(text) == text
    assert sanitise_value({"a": [text]}) == {"a": [text]}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("See ![logo](https://evil.example/a.png?d=1) now.", "See ! [logo] (`https://evil.example/a.png?d=1`) now."),
        ("See [the form](https://evil.example/f).", "See [the form] (`https://evil.example/f`)."),
        ("Go to https://intra.example/help, then ask.", "Go to `https://intra.example/help`, then ask."),
        ("Mail <facilities@osterfenn.example> please.", "Mail <`facilities@osterfenn.example`> please."),
        ("The file handbook.md and config.yaml hold it.", "The file `handbook.md` and config.yaml hold it."),
        ("Hello <b>you</b>, R&amp;D &lt;here&gt;", "Hello < b>you< /b>, R&D < here>"),
        ("It costs EUR 3 [1][2]. Or 4 [1, 2] or 5【3†source】 or 6 ［2］.", "It costs EUR 3. Or 4 or 5 or 6."),
        ("[x]: https://evil.example/x", "[x] : `https://evil.example/x`"),
        ("the <im<b>g src=//evil.example/p.png> stone", "the < im< b>g `src=//evil.example/p.png`> stone"),
        ("Run `rm` \x1b[31mnow\u202e a\u200bb", "Run 'rm' [31mnow ab"),
    ],
)
def test_what_would_be_live_is_shown_in_the_same_words(text: str, shown: str) -> None:
    assert sanitise(text) == shown


def test_code_of_a_run_stays_as_it_is_and_cannot_be_closed_from_inside() -> None:
    said = 'Run `curl https://x.com <b>` first:\n\n```bash\ncurl "https://x.com" | a[0](b) `id`\n```\n'
    assert sanitise_shaped(said) == said
    assert sanitise_shaped("1. So:\n   ```python\n   print(1)\n   ```\n") == "1. So:\n```python\nprint(1)\n```\n"
    assert sanitise_shaped("```mermaid\nx") == "```\nx\n```"
    assert (
        rendered_links(sanitise_shaped("- ```\n```\n<img src=//evil.example/S>\n```\n<img src=//evil.example/S>")) == []
    )


@pytest.mark.parametrize("text", WHOLE)
@pytest.mark.parametrize("path", PATHS)
def test_what_passed_by_earlier_filters_is_not_live(text: str, path: str) -> None:
    assert live(PATHS[path](text)) == []


def test_nothing_is_live_in_hostile_texts_rendered_by_real_renderers() -> None:
    for text in hostile_texts(400, seed=3):
        for path, shown in PATHS.items():
            assert live(shown(text)) == [], (path, text)


def test_a_text_comes_out_the_same_wherever_it_is_cut() -> None:
    for text in (*ORDINARY, *WHOLE, *hostile_texts(100, seed=4)):
        assert split_anywhere(text) == [], text


@pytest.mark.parametrize("shaped", [True, False])
def test_a_text_comes_out_the_same_around_the_longest_word_and_line(shaped: bool) -> None:
    chance = random.Random(1)
    for filling in ("a", "`a", "```", "[1", "&lt;", "a.", " `", "\u200d"):
        for size in range(MAX_HELD - 4, MAX_HELD + 5):
            text = (filling * MAX_HELD)[:size] + "` evil.com <b> ```\nx"
            through = Sanitiser(shaped=shaped)
            cut = chance.randint(1, len(text))
            shown = through.feed(text[:cut]) + through.feed(text[cut:]) + through.end()
            whole = sanitise_shaped(text) if shaped else sanitise(text)
            assert shown == whole
            assert live(whole) == []


def test_a_growing_text_is_held_back_by_no_more_than_a_word() -> None:
    through = Sanitiser()
    assert through.feed("The fee is due on Mon") == "The fee is due on"
    assert through.feed("day. See [1") == " Monday. See"
    assert through.end() == " [1"
    assert len(Sanitiser().feed("字" * 5 * MAX_HELD)) >= 4 * MAX_HELD


def test_strings_of_json_have_nothing_live_and_the_schemas_own_words_stay() -> None:
    value = {"url": "https://evil.example/x", "n": 3, "![x](y)": ["<img src=x>", None], "kind": "README.md"}
    shown = sanitise_value(value, frozenset(("url", "n", "kind", "README.md")))
    assert shown == {
        "url": "`https://evil.example/x`",
        "n": 3,
        "! [x] (y)": ["< img src=x>", None],
        "kind": "README.md",
    }
    assert live(json.dumps({**shown, "kind": ""})) == []


def test_a_title_is_one_line_without_markup_or_anything_hidden() -> None:
    assert (
        label("Harbour\u200b\n</source> [1](x) ![a][b] `c` rules.md")
        == "Harbour < /source> [1] (x) ! [a] [b] 'c' rules.md"
    )
