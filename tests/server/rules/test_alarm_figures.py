"""Rates, floods, chattering, stale and the worst: by hand for the edges, against a slow count for everything else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.rules import alarm_figures as figures
from server.rules.alarm_figures import Spell

START = datetime(2026, 11, 20, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def at(*minutes: float, subject: str = "A") -> list[Spell]:
    return [Spell(subject, START + m * MINUTE, START + m * MINUTE) for m in minutes]


def test_rate_is_per_operator_and_ten_minutes() -> None:
    found = figures.rate(at(1, 2, 3, 4, 15), START, START + HOUR, operators=2)

    assert (found.raised, found.mean, found.peak) == (5, 5 / 2 / 6, 2.0)
    assert found.acceptable_share == pytest.approx(5 / 6)


def test_eleven_in_ten_minutes_is_a_flood_until_fewer_than_five_are_left() -> None:
    eleven = [0.5 * n for n in range(11)]  # 0 to 5 min

    (flood,) = figures.floods(at(*eleven, 16))

    assert (flood.start, flood.raised) == (START, 11)
    assert flood.end == START + 13 * MINUTE  # the seventh, of minute 3, leaves the window: four are left
    assert figures.floods(at(*eleven[:10])) == []


def test_a_flood_that_nothing_follows_ends_by_the_clock() -> None:
    spells = at(*[0.5 * n for n in range(11)])
    found = figures.floods(spells)

    assert found[0].end is None
    assert figures.ended_by(found, spells, START + 12 * MINUTE)[0].end is None
    assert figures.ended_by(found, spells, START + 13 * MINUTE)[0].end == START + 13 * MINUTE


@pytest.mark.parametrize(
    ("minutes", "times"), [((0, 0.5, 1), 3), ((0, 0.5, 1.1), None), ((0, 0.1, 0.2, 0.3), 4)], ids=["three", "too far apart", "four"]
)
def test_three_raises_in_a_minute_are_chattering(minutes: tuple[float, ...], times: int | None) -> None:
    assert figures.chattering([*at(*minutes), *at(0.2, subject="B")]) == ({} if times is None else {"A": times})


def test_stale_is_what_stands_for_more_than_a_day() -> None:
    spells = [Spell("old", START), Spell("young", START + HOUR), Spell("gone", START, START + HOUR)]

    assert figures.stale(spells, START + 25 * HOUR) == {"old": 25 * HOUR}


def test_worst_first_with_their_share() -> None:
    found = figures.worst([*at(1, 2, 3, subject="B"), *at(1, subject="A"), *at(1, subject="C")], 2)

    assert [(one.subject, one.raised, one.share) for one in found] == [("B", 3, 0.6), ("A", 1, 0.2)]


@given(st.lists(st.integers(0, 3600), max_size=60))
def test_a_second_is_in_a_flood_exactly_when_the_slow_count_says_so(seconds: list[int]) -> None:
    spells = [Spell("A", START + timedelta(seconds=s)) for s in seconds]
    end = 3600 + 601

    found = figures.ended_by(figures.floods(spells), spells, START + timedelta(seconds=end))

    on, slow = False, set()
    for second in range(end):  # after everything of that second
        left = sum(second - 600 < s <= second for s in seconds)
        on = left > figures.FLOOD_ABOVE or (on and left >= figures.FLOOD_OVER_BELOW)
        if on:
            slow.add(second)
    for flood in found:
        assert flood.end is not None
    covered = {
        second
        for flood in found
        for second in range(int((flood.start - START).total_seconds()), int(((flood.end or flood.start) - START).total_seconds()))
    }
    assert slow <= covered  # a flood starts with its first alarm, which the count knows only at the eleventh
    assert len(found) == sum(1 for second in slow if second - 1 not in slow)


@given(st.lists(st.integers(0, 3000), max_size=60), st.integers(1, 5))
def test_rates_add_up(seconds: list[int], operators: int) -> None:
    spells = [Spell("A", START + timedelta(seconds=s)) for s in seconds]

    found = figures.rate(spells, START, START + HOUR, operators)

    assert found.raised == len(seconds)
    assert found.mean <= found.peak or not seconds
    assert 0 <= found.acceptable_share <= 1


@given(seconds=st.lists(st.integers(0, 1800), max_size=60), at=st.integers(0, 2400))
def test_a_flood_is_on_exactly_while_the_last_one_has_no_end(seconds: list[int], at: int) -> None:
    now = START + timedelta(seconds=at)
    raised = [START + timedelta(seconds=second) for second in seconds]
    known = [time for time in raised if time <= now]

    on = figures.in_flood(raised, now)

    recent = [time for time in known if now - time < figures.WINDOW]
    assert not on or len(recent) >= figures.FLOOD_OVER_BELOW
    assert on or len(recent) <= figures.FLOOD_ABOVE
