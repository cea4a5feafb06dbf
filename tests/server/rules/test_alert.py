"""Life cycle of an alert: a return never precedes a raise, an active one is not resolved by mistake."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import Conflict
from server.rules.alert import TRANSITIONS, AlertAction, AlertState, is_announced, next_state, shelve_end_problem, state_of

NOW = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.mark.parametrize(("state", "action"), [p for p in itertools.product(AlertState, AlertAction) if p not in TRANSITIONS])
def test_what_the_table_does_not_know_is_a_conflict(state: AlertState, action: AlertAction) -> None:
    with pytest.raises(Conflict) as refused:
        next_state(state, action)

    active = state in {AlertState.ACTIVE_NEW, AlertState.ACTIVE_SEEN}
    assert refused.value.code == ("still_active" if active and action is AlertAction.RESOLVE else "wrong_state")


@given(st.lists(st.sampled_from(AlertAction), max_size=40))
def test_a_random_walk_keeps_condition_and_acknowledgement_apart(actions: list[AlertAction]) -> None:
    state, condition, seen = AlertState.ACTIVE_NEW, "active", False
    for action in actions:
        try:
            state = next_state(state, action)
        except Conflict:
            continue
        condition = {AlertAction.RAISE: "active", AlertAction.RETURN: "returned"}.get(action, condition)
        seen = action is AlertAction.ACKNOWLEDGE or (seen and action is not AlertAction.RAISE)
        resolved = action in {AlertAction.RESOLVE, AlertAction.FORCE}

        assert state is state_of(condition=condition, acknowledged=seen, resolved=resolved)


@pytest.mark.parametrize(("hours", "refused"), [(-1, True), (0, True), (0.01, False), (24 * 7, False), (24 * 7 + 0.01, True)])
def test_shelving_always_has_an_end_within_a_week(hours: float, refused: bool) -> None:
    assert (shelve_end_problem(NOW + timedelta(hours=hours), NOW) is not None) is refused


@pytest.mark.parametrize(
    ("watch", "suppressed", "shelved", "told"),
    [(False, None, False, True), (True, None, False, False), (False, "maintenance", False, False), (False, None, True, False)],
)
def test_an_overlay_hides_an_alert(watch: bool, suppressed: str | None, shelved: bool, told: bool) -> None:
    assert is_announced(watch=watch, suppressed=suppressed, shelved=shelved) is told
