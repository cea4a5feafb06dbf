"""Precision with its interval, and troubles that came back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.rules import verdicts
from server.rules.verdicts import REPEAT_WITHIN, Job

START = datetime(2026, 11, 1, tzinfo=UTC)
DAY = timedelta(days=1)
words = st.sampled_from(["confirmed", "false", "something_else"])


@pytest.mark.parametrize(
    ("said", "share", "trusted"),
    [
        ([], None, False),
        (["confirmed"] * 9, 1.0, False),
        (["confirmed"] * 5 + ["false"] * 5, 0.5, True),
        (["confirmed"] * 4 + ["something_else"] * 6, 0.4, False),
        (["confirmed"] * 10, 1.0, True),
    ],
    ids=["none", "too few", "half right", "sent for nothing", "always right"],
)
def test_precision_and_trust(said: list[str], share: float | None, trusted: bool) -> None:
    found = verdicts.precision_of("drift", said)

    assert (found.precision, found.trusted, found.verdicts) == (share, trusted, len(said))


def test_the_interval_is_wilsons() -> None:
    low, high = verdicts.wilson(8, 10)

    assert low == pytest.approx(0.4902, abs=1e-4)  # Brown, Cai and DasGupta 2001
    assert high == pytest.approx(0.9433, abs=1e-4)


@pytest.mark.parametrize(
    ("days", "ended", "repeated"),
    [(5, 1, True), (31, 1, True), (31.1, 1, False), (5, None, False), (0.5, 1, False)],
    ids=["soon", "the last day", "too late", "not ended", "opened before the end"],
)
def test_the_same_trouble_within_thirty_days_is_a_repeat(days: float, ended: float | None, repeated: bool) -> None:
    first = Job("WO-1", ("M2", "M2.vibration"), START, None if ended is None else START + ended * DAY)
    other = Job("WO-2", ("M3", "M3.vibration"), START + 2 * DAY, None)
    second = Job("WO-3", ("M2", "M2.vibration"), START + days * DAY, None)

    found = verdicts.repeats([second, other, first])

    assert [(one.first, one.second) for one in found] == ([("WO-1", "WO-3")] if repeated else [])


@given(st.lists(words, max_size=60))
def test_the_interval_holds_the_share(said: list[str]) -> None:
    found = verdicts.precision_of("x", said)

    if found.precision is None:
        assert found.low is None
    else:
        assert found.low is not None
        assert found.high is not None
        assert 0 <= found.low <= found.precision + 1e-12
        assert found.precision - 1e-12 <= found.high <= 1


@given(st.lists(st.tuples(st.integers(0, 2), st.floats(0, 100), st.none() | st.floats(0, 50)), max_size=20))
def test_a_repeat_follows_its_forerunner_and_is_told_once(rows: list[tuple[int, float, float | None]]) -> None:
    jobs = [
        Job(f"WO-{n:03d}", (str(subject),), START + opened * DAY, None if lasts is None else START + (opened + lasts) * DAY)
        for n, (subject, opened, lasts) in enumerate(rows)
    ]

    found = verdicts.repeats(jobs)

    assert len({one.second for one in found}) == len(found)
    assert all(timedelta(0) <= one.after <= REPEAT_WITHIN for one in found)
