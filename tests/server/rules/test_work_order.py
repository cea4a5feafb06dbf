"""The table of work-order states: what is not in it is refused and changes nothing."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import Conflict
from server.rules.roles import Role
from server.rules.work_order import (
    FINAL,
    IN_WORK,
    TRANSITIONS,
    OrderAction,
    OrderState,
    actions_from,
    completion_gaps,
    next_state,
    permitted,
)

PAIRS = list(itertools.product(OrderState, OrderAction))


@pytest.mark.parametrize(("state", "action"), [pair for pair in PAIRS if pair not in TRANSITIONS])
def test_what_the_table_does_not_know_is_a_conflict_with_the_state(state: OrderState, action: OrderAction) -> None:
    with pytest.raises(Conflict) as refused:
        next_state(state, action)

    assert (refused.value.code, refused.value.state) == ("wrong_state", state)


@pytest.mark.parametrize("state", sorted(FINAL))
def test_an_end_is_an_end(state: OrderState) -> None:
    assert actions_from(state) == []


@given(st.lists(st.sampled_from(OrderAction), max_size=40))
def test_a_random_walk_never_skips_a_state(actions: list[OrderAction]) -> None:
    state, seen = OrderState.OPEN, [OrderState.OPEN]
    for action in actions:
        try:
            state = next_state(state, action)
        except Conflict:
            continue
        seen.append(state)

    for before, after in itertools.pairwise(seen):
        assert after in {TRANSITIONS[before, action] for action in actions_from(before)}
    for verified in (n for n, state in enumerate(seen) if state is OrderState.VERIFIED):
        assert seen[verified - 1] is OrderState.COMPLETED
    for completed in (n for n, state in enumerate(seen) if state is OrderState.COMPLETED):
        assert seen[completed - 1] is OrderState.IN_PROGRESS


def test_every_state_but_the_first_can_be_reached_and_every_open_one_can_end() -> None:
    reachable = {OrderState.OPEN, OrderState.REQUESTED}
    for _ in OrderState:
        reachable |= {after for (before, _), after in TRANSITIONS.items() if before in reachable}

    assert reachable == set(OrderState)
    for state in set(OrderState) - FINAL:
        ends = {state}
        for _ in OrderState:
            ends |= {after for (before, _), after in TRANSITIONS.items() if before in ends}
        assert ends & FINAL, f"{state} can never end"


@pytest.mark.parametrize(
    ("notes", "verdict", "born_of_alert", "gaps"),
    [
        (None, None, False, ["notes"]),
        ("  ", "confirmed", True, ["notes"]),
        ("done", None, True, ["verdict"]),
        ("done", "maybe", True, ["verdict"]),
        ("done", "maybe", False, ["verdict"]),
        ("done", "something_else", True, []),
        ("done", None, False, []),
    ],
)
def test_closing_needs_notes_and_an_alert_a_verdict(notes: str | None, verdict: str | None, born_of_alert: bool, gaps: list[str]) -> None:
    assert completion_gaps(notes=notes, verdict=verdict, born_of_alert=born_of_alert) == gaps


def test_rights_follow_the_role() -> None:
    assert permitted(Role.TECHNICIAN, OrderAction.ASSIGN, to_self=True)
    assert not permitted(Role.TECHNICIAN, OrderAction.ASSIGN)
    assert not permitted(Role.TECHNICIAN, OrderAction.CANCEL)
    assert permitted(Role.MANAGER, OrderAction.CANCEL)
    assert not any(permitted(Role.VIEWER, action) for action in OrderAction)
    assert not any(permitted(Role.OPERATOR, action, to_self=True) for action in OrderAction)


def test_work_states_are_those_between_start_and_completion() -> None:
    assert {OrderState.IN_PROGRESS, OrderState.ON_HOLD} == IN_WORK
