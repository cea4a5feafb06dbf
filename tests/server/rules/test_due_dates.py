"""Due dates: nothing is skipped, nothing comes twice, and clocks that change move no wall-clock time."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.rules.calendar import Pattern, Window, shifted
from server.rules.due_dates import Terms, Tolerance, due_dates, next_base, next_due, read_rule, season_opens

PARIS = ZoneInfo("Europe/Paris")
FIRST = datetime.combine(date(2026, 1, 1), time())
WEEKDAYS = Pattern(weekly=dict.fromkeys(range(5), (Window(time(6), time(22)),)))
rules = st.sampled_from(
    [
        "FREQ=DAILY",
        "FREQ=DAILY;INTERVAL=10",
        "FREQ=WEEKLY;BYDAY=MO,TH",
        "FREQ=WEEKLY;BYDAY=SA,SU",
        "FREQ=MONTHLY",
        "FREQ=MONTHLY;BYDAY=-1FR",
        "FREQ=MONTHLY;INTERVAL=3;BYMONTHDAY=1",
    ]
)
dates = st.dates(date(2024, 1, 1), date(2028, 12, 31))
times = st.times(max_value=time(23, 59)).map(lambda at: at.replace(second=0, microsecond=0))
shifts = st.sampled_from(["before", "after", "none"])
months = st.sampled_from([frozenset[int](), frozenset({4, 5, 6, 7, 8, 9, 10}), frozenset({1, 12})])


def local(at: datetime | None) -> str:
    assert at is not None
    return at.astimezone(PARIS).strftime("%Y-%m-%d %H:%M")


@pytest.mark.parametrize(
    ("rule", "last_due", "last_done", "floating", "expected"),
    [
        ("FREQ=MONTHLY", None, None, False, "2026-01-15 08:00"),
        ("FREQ=MONTHLY", "2026-01-15", "2026-01-20", False, "2026-02-15 08:00"),
        ("FREQ=MONTHLY", "2026-01-15", "2026-01-20", True, "2026-02-20 08:00"),
        ("FREQ=MONTHLY", "2026-01-15", "2026-01-10", False, "2026-02-15 08:00"),
        ("FREQ=MONTHLY", "2026-01-15", "2026-01-31", True, "2026-02-28 08:00"),
        ("FREQ=WEEKLY", "2026-03-26", "2026-03-26", True, "2026-04-02 08:00"),  # over the change of clocks: eight stays eight
        ("FREQ=MONTHLY;BYDAY=1MO", "2026-01-15", None, False, "2026-02-02 08:00"),
    ],
    ids=[
        "first",
        "fixed keeps its grid",
        "floating starts anew",
        "fixed, done early",
        "floating from a 31st",
        "clocks change",
        "first Monday",
    ],
)
def test_next_due(rule: str, last_due: str | None, last_done: str | None, floating: bool, expected: str) -> None:
    terms = Terms(starts_on=date(2026, 1, 15), zone=PARIS)
    due, done = (datetime.fromisoformat(f"{day} 08:00").replace(tzinfo=PARIS) if day else None for day in (last_due, last_done))

    assert local(next_due(rule, terms, last_due=due, last_done=done, floating=floating)) == expected


def test_a_wall_clock_time_that_the_spring_change_leaves_out_is_an_hour_later() -> None:
    terms = Terms(starts_on=date(2026, 3, 28), at=time(2, 30), zone=PARIS)

    assert [local(due) for due in islice(due_dates("FREQ=DAILY", terms, None), 3)] == [
        "2026-03-28 02:30",
        "2026-03-29 03:30",
        "2026-03-30 02:30",
    ]


def test_days_that_move_onto_one_working_day_are_one_occurrence() -> None:
    terms = Terms(starts_on=date(2026, 11, 20), zone=PARIS, shift="after", pattern=WEEKDAYS)  # a Friday

    assert [local(due)[:10] for due in islice(due_dates("FREQ=DAILY", terms, None), 3)] == ["2026-11-20", "2026-11-23", "2026-11-24"]


def test_a_leap_day_is_found_and_a_day_that_never_comes_is_none() -> None:
    terms = Terms(starts_on=date(2025, 1, 1))

    assert [due.date() for due in due_dates("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", terms, None)][:2] == [
        date(2028, 2, 29),
        date(2032, 2, 29),
    ]
    assert next(due_dates("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", terms, None), None) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "FREQ=HOURLY",
        "FREQ=SECONDLY;X=FREQ=DAILY",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;INTERVAL=-1",
        "FREQ=DAILY;COUNT=5",
        "FREQ=DAILY;BYHOUR=1,2,3",
        "FREQ=MONTHLY;BYDAY=XX",
        "FREQ=DAILY\nRRULE:FREQ=DAILY",
        "DTSTART:20260101T000000 RRULE:FREQ=DAILY",
        "FREQ=DAILY;" + "BYDAY=MO;" * 100,
        "FREQ=YEARLY;INTERVAL=" + "9" * 40,
    ],
)
def test_a_rule_that_cannot_be_is_refused_with_a_reason(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_rule(text, FIRST, FIRST + timedelta(days=3653))


@given(rules, dates, times, shifts, months)
def test_no_occurrence_is_skipped_and_each_next_is_later(rule: str, starts: date, at: time, shift: str, in_months: frozenset[int]) -> None:
    terms = Terms(starts_on=starts, at=at, zone=PARIS, months=in_months, shift=shift, pattern=WEEKDAYS)
    first = datetime.combine(starts, time())
    nominal = [day.date() for day in islice(read_rule(rule, first, first + timedelta(days=800)), 40)]
    wanted = {shifted(day, shift, WEEKDAYS) for day in nominal if not in_months or day.month in in_months}

    walked: list[datetime] = []
    last: datetime | None = None
    while len(walked) < 40 and (due := next_due(rule, terms, last_due=last, last_done=None, floating=False)) is not None:
        assert last is None or due > last
        walked.append(due)
        last = due

    days = {due.astimezone(PARIS).date() for due in walked}
    assert {day for day in wanted if day <= max(days)} <= days


@given(rules, dates, st.integers(-20, 60), shifts)
def test_a_floating_plan_falls_due_after_it_was_done_and_after_it_was_due(rule: str, starts: date, late_days: int, shift: str) -> None:
    terms = Terms(starts_on=starts, zone=PARIS, shift=shift, pattern=WEEKDAYS)
    due = next_due(rule, terms, last_due=None, last_done=None, floating=True)
    assert due is not None
    done = due + timedelta(days=late_days)

    after = next_due(rule, terms, last_due=due, last_done=done, floating=True)

    assert after is not None
    assert after > due
    assert after > done


@given(dates, st.integers(0, 30), st.integers(0, 30), st.integers(-40, 40))
def test_tolerance_is_whole_days_of_the_site(day: date, early: int, late: int, off: int) -> None:
    due = datetime.combine(day, time(8), PARIS).astimezone(UTC)
    done = datetime.combine(day + timedelta(days=off), time(23, 30), PARIS)

    assert Tolerance(early, late).holds(due, done, PARIS) == (-early <= off <= late)


@pytest.mark.parametrize(
    ("total", "floating", "base"),
    [(1100.0, True, 1100.0), (1100.0, False, 1000.0), (400.0, True, 500.0)],
    ids=["floating", "fixed", "never backwards"],
)
def test_a_meter_starts_anew(total: float, floating: bool, base: float) -> None:
    assert next_base(500.0, 500.0, total, floating=floating) == base


def test_out_of_season_waits_for_the_first_day_of_the_season() -> None:
    terms = Terms(starts_on=date(2026, 1, 1), zone=PARIS, months=frozenset({4, 5}), shift="after", pattern=WEEKDAYS)

    assert local(season_opens(datetime(2026, 6, 2, tzinfo=UTC), terms)) == "2027-04-01 08:00"
    assert season_opens(datetime(2026, 5, 2, tzinfo=UTC), terms) == datetime(2026, 5, 2, tzinfo=UTC)
