"""Lives out of records: whole ones only, whatever the order of the records."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from server.rules.lives import Renewal, WholeLife, cut

T0 = datetime(2025, 1, 1, tzinfo=UTC)


def day(n: float) -> datetime:
    return T0 + timedelta(days=n)


def test_a_life_goes_from_installation_or_repair_to_the_next_failure() -> None:
    repairs = [Renewal(1, day(100), day(102)), Renewal(1, day(150), day(151)), Renewal(2, day(70), day(71))]

    lives, began = cut({1: day(0), 2: None}, repairs)

    assert lives == [WholeLife(1, day(0), day(100)), WholeLife(1, day(102), day(150))]
    assert began == {1: day(151), 2: day(71)}


def test_a_planned_renewal_begins_a_life_and_the_one_before_teaches_nothing() -> None:
    lives, began = cut({1: day(0)}, [Renewal(1, None, day(40)), Renewal(1, day(90), day(91))])

    assert lives == [WholeLife(1, day(40), day(90))]
    assert began == {1: day(91)}


def test_a_failure_during_the_repair_of_another_is_no_life() -> None:
    lives, _ = cut({1: day(0)}, [Renewal(1, day(10), day(20)), Renewal(1, day(15), day(21))])

    assert lives == [WholeLife(1, day(0), day(10))]


renewals = st.builds(
    lambda asset, failed, took, planned: Renewal(asset, None if planned else day(failed), day(failed + took)),
    st.integers(1, 3), st.integers(0, 500), st.integers(0, 20), st.booleans(),
)  # fmt: skip


@given(st.lists(renewals, max_size=20), st.randoms())
def test_lives_of_a_machine_never_overlap_and_the_order_of_records_does_not_matter(found: list[Renewal], rng: object) -> None:
    installed = {1: day(-5), 2: None, 3: day(30)}
    lives, began = cut(installed, found)
    mixed = sorted(found, key=lambda one: rng.random())  # type: ignore[attr-defined]

    assert all(life.began < life.ended for life in lives)
    for asset in (1, 2, 3):
        own = [life for life in lives if life.asset == asset]
        assert all(first.ended <= second.began for first, second in pairwise(own))
        assert not own or began[asset] is not None
    assert {(one.asset, one.ended) for one in cut(installed, mixed)[0]} == {(one.asset, one.ended) for one in lives}
