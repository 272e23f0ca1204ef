from __future__ import annotations

import pytest

from groundwork.client.deadlines import AWAY_SECONDS, FollowerDeadlines
from groundwork.errors import ApiError, Unreachable, WaitTimeout

GONE = Unreachable("gone")
SILENT = WaitTimeout("silent")


class Follower:
    """Deadlines whose clock the test moves."""

    def __init__(self, silence: float = 3600.0) -> None:
        self.now = 0.0
        self.told: list[Unreachable | ApiError] = []
        self.deadlines = FollowerDeadlines(silence, self.told.append, lambda: self.now)

    def missed_at(self, now: float) -> None:
        """The server does not answer at this moment."""
        self.now = now
        self.deadlines.missed(GONE)


def test_that_a_server_went_away_is_told_once_each_time() -> None:
    follower = Follower()
    for now in (1, 2, 3):
        follower.missed_at(now)
    assert follower.told == [GONE]
    follower.deadlines.answered()
    follower.missed_at(4)
    assert follower.told == [GONE, GONE]


def test_a_server_has_all_its_time_from_its_first_miss_on() -> None:
    follower = Follower()
    follower.missed_at(1000)
    follower.missed_at(1000 + AWAY_SECONDS - 1)
    with pytest.raises(Unreachable, match="gone"):
        follower.missed_at(1000 + AWAY_SECONDS)


def test_an_answer_gives_a_server_all_its_time_again() -> None:
    follower = Follower()
    follower.missed_at(0)
    follower.deadlines.answered()
    follower.missed_at(AWAY_SECONDS)
    follower.missed_at(2 * AWAY_SECONDS - 1)


def test_nobody_waits_for_a_server_longer_than_for_news() -> None:
    follower = Follower(silence=10)
    follower.missed_at(0)
    with pytest.raises(Unreachable, match="gone"):
        follower.missed_at(10)


def test_silence_is_bounded_from_the_last_news_not_from_the_last_answer() -> None:
    follower = Follower(silence=10)
    follower.now = 10
    follower.deadlines.check(SILENT)
    follower.deadlines.news()
    follower.now = 20
    follower.deadlines.answered()
    follower.deadlines.check(SILENT)
    follower.now = 20.5
    with pytest.raises(WaitTimeout, match="silent"):
        follower.deadlines.check(SILENT)


def test_a_follower_that_is_not_told_waits_all_the_same() -> None:
    now = [0.0]
    deadlines = FollowerDeadlines(5, None, lambda: now[0])
    deadlines.missed(GONE)
    now[0] = 5
    with pytest.raises(Unreachable):
        deadlines.missed(GONE)
