"""Pictures of the dashboards: one a board, of the panels that it has now, small, on a page that tells of each row."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "deploy/grafana"))

boards = importlib.import_module("build").boards
quantities = importlib.import_module("quantities")
pictures = importlib.import_module("pictures")

BOARDS = {board.uid: board for board in boards()}
PAGE = ROOT / "docs" / "dashboards.md"
MOST_BYTES = 150_000
QUIET = {"Jobs put back"}
"""What a home that is well has nothing of."""
AGAIN = "run `make pictures`"


def _texts(uid: str) -> list[tuple[str, str, str]]:
    """Size, weight and words of every text in a picture."""
    root = ElementTree.parse(ROOT / f"docs/dashboards/{uid}.svg").getroot()  # our own file
    return [
        (text.get("font-size", ""), text.get("font-weight", ""), text.text or "")
        for text in root.iter("{http://www.w3.org/2000/svg}text")
    ]


def _drawn_rows(uid: str) -> list[tuple[str, list[str]]]:
    """Rows with the titles of their panels, as the picture has them."""
    rows: list[tuple[str, list[str]]] = []
    elsewhere = ""
    for size, weight, words in _texts(uid):
        if weight and size == "15":
            rows.append((words, []))
            elsewhere = ""
        elif weight and rows and float(size) <= 13:
            rows[-1][1].append(words)
        elif words.startswith("Where there is ") or elsewhere:  # a row without panels, in one line or more
            elsewhere += f" {words}"
            rows[-1][1][:] = elsewhere.partition(": ")[2].split(" · ")
    return rows


@pytest.mark.parametrize("uid", BOARDS)
def test_a_picture_has_the_rows_and_panels_that_its_board_has_now(uid: str) -> None:
    expected = [(row.title, [panel.title for panel in row.panels]) for row in BOARDS[uid].rows]
    assert _drawn_rows(uid) == expected, AGAIN


@pytest.mark.parametrize("uid", BOARDS)
def test_a_picture_is_of_panels_with_data_and_is_small(uid: str) -> None:
    assert (ROOT / f"docs/dashboards/{uid}.svg").stat().st_size < MOST_BYTES
    words = [text for _, _, text in _texts(uid)]
    quiet = {panel.title for row in BOARDS[uid].rows for panel in row.panels} & QUIET
    assert words.count("nothing in this window") <= len(quiet), AGAIN


def test_there_is_no_picture_without_a_board() -> None:
    assert {file.stem for file in (ROOT / "docs/dashboards").glob("*.svg")} == set(BOARDS)


def test_the_page_shows_every_picture_and_tells_of_every_row() -> None:
    page = PAGE.read_text()
    for board in BOARDS.values():
        assert f"(dashboards/{board.uid}.svg)" in page
        for row in board.rows:
            assert f"**{row.title}**" in page, f"{board.title}: {row.title}"


@pytest.mark.parametrize(
    ("unit", "highest", "written"),
    [
        ("s", 0.0042, ("ms", (0, 1, 2, 3, 4, 5))),
        ("s", 7.2, ("s", (0, 2, 4, 6, 8))),
        ("s", 600.0, ("min", (0, 2, 4, 6, 8, 10))),
        ("bytes", 250 * 2**20, ("MiB", (0, 50, 100, 150, 200, 250))),
        ("percentunit", 0.71, ("%", (0, 20, 40, 60, 80))),
        ("reqps", 0.35, ("req/s", (0, 0.1, 0.2, 0.3, 0.4))),
        ("short", 0.0, ("", (0, 0.2, 0.4, 0.6, 0.8, 1))),
        ("short", 45_000.0, ("K", (0, 10, 20, 30, 40, 50))),
    ],
)
def test_an_axis_is_round_and_holds_the_highest_value(
    unit: str, highest: float, written: tuple[str, tuple[float, ...]]
) -> None:
    axis = quantities.axis(unit, [0.0, highest])
    assert (axis.word, axis.ticks) == (written[0], pytest.approx(written[1]))
    assert axis.top >= highest


def test_a_value_is_written_as_people_do() -> None:
    said = [quantities.written(*each) for each in (("s", 0.0123), ("percentunit", 0.02), ("currencyUSD", 1.5))]
    assert said == ["12.3 ms", "2%", "$1.5"]
    assert [quantities.written("short", value) for value in (0, 3, 1234)] == ["0", "3", "1.23K"]


def test_a_panel_without_data_says_so_and_one_of_another_server_names_it() -> None:
    for uid, words in (("groundwork-overview", "nothing in this window"), ("groundwork-inference", "needs vLLM")):
        drawn = pictures.draw(BOARDS[uid], {}, pictures.Window(60.0, "one minute"))
        assert words in drawn
