"""Rules of the stores: what may be given away, what stock is worth, when to buy, and the two tables of states."""

from __future__ import annotations

import itertools
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import Conflict, Invalid
from server.rules import purchase_states, request_states, stock
from server.rules.purchase_states import PurchaseAction, PurchaseState
from server.rules.reorder import Position, propose, reorder_point
from server.rules.request_states import RequestAction, RequestState
from server.rules.stock import Level
from server.rules.work_order import OrderState

AMOUNT = st.decimals(0, 10**6, places=3)
PURCHASE_PAIRS = list(itertools.product(PurchaseState, PurchaseAction))
REQUEST_PAIRS = list(itertools.product(RequestState, RequestAction))


def position(**other: object) -> Position:
    fields = {"available": 10, "on_order": 0, "minimum": 4, "maximum": 20, "lot": 0, "lead_days": 0, "monthly_use": 0, **other}
    return Position(**{name: value if name == "lead_days" else Decimal(str(value)) for name, value in fields.items()})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seen", "quantity"),
    [
        ({}, None),
        ({"available": 4}, None),
        ({"available": 3}, 17),
        ({"available": 3, "on_order": 1}, None),
        ({"available": 3, "lot": 5}, 20),
        ({"available": 3, "maximum": 0}, 1),
        ({"available": -2}, 22),
        ({"available": 0, "minimum": 0}, None),  # not kept in stock
        ({"lead_days": 61, "monthly_use": 6}, 10),  # 12.025 are used while one waits
        ({"lead_days": 61, "monthly_use": 1}, None),
        ({"lead_days": 61, "monthly_use": 20, "maximum": 20}, Decimal("30.083")),  # more than the maximum is used meanwhile
    ],
)
def test_when_to_buy_and_how_many(seen: dict[str, object], quantity: object) -> None:
    found = propose(position(**seen))

    assert (found.quantity if found else None) == quantity


def test_a_proposal_shows_its_calculation() -> None:
    found = propose(position(available=5, on_order=1, lead_days=61, monthly_use=6, lot=10))

    assert found is not None
    assert found.why == (
        "available 5 + on order 1 < 12.025 (use of 6 a month x 61 days of delivery, minimum 4); fill up to 20 in lots of 10"
    )


@given(AMOUNT, AMOUNT, st.decimals(1, 1000, places=3), AMOUNT, st.decimals(0, 50, places=0), st.integers(0, 365), AMOUNT)
def test_a_proposal_always_lifts_stock_to_the_reorder_point(
    available: Decimal, on_order: Decimal, minimum: Decimal, more: Decimal, lot: Decimal, lead_days: int, use: Decimal
) -> None:
    seen = Position(
        available=available, on_order=on_order, minimum=minimum, maximum=minimum + more, lot=lot, lead_days=lead_days, monthly_use=use
    )

    found = propose(seen)

    assert (found is None) == (available + on_order >= reorder_point(seen))
    if found is not None:
        after = Position(
            available=available,
            on_order=on_order + found.quantity,
            minimum=minimum,
            maximum=minimum + more,
            lot=lot,
            lead_days=lead_days,
            monthly_use=use,
        )
        assert propose(after) is None, "proposing again proposes nothing"


@given(st.lists(st.tuples(st.decimals("0.001", 10**4, places=3), st.decimals(0, 10**4, places=2)), min_size=1, max_size=20))
def test_the_moving_average_is_the_mean_cost_of_what_arrived(arrivals: list[tuple[Decimal, Decimal]]) -> None:
    on_hand = average = Decimal(0)
    for quantity, cost in arrivals:
        average = stock.averaged(on_hand, average, quantity, cost)
        on_hand += quantity

    exact = sum(quantity * cost for quantity, cost in arrivals) / on_hand
    assert abs(average - exact) <= Decimal("0.000001") * len(arrivals) * 2
    costs = [cost for _quantity, cost in arrivals]
    assert min(costs) - 1 <= average <= max(costs) + 1


@given(AMOUNT, AMOUNT, AMOUNT, AMOUNT)
def test_what_is_given_away_was_there(on_hand: Decimal, reserved: Decimal, own: Decimal, wanted: Decimal) -> None:
    own = min(own, reserved)
    try:
        stock.check_available(Level(on_hand, reserved), wanted, own_reserved=own)
    except Conflict:
        assert wanted > on_hand - reserved + own
    else:
        assert on_hand - wanted >= reserved - own, "the others' reservations are still covered"


@pytest.mark.parametrize("value", [0, -1, 1e10, float("inf"), float("nan"), 0.0001])
def test_what_is_no_quantity(value: float) -> None:
    with pytest.raises(Invalid):
        stock.quantity(value)


def test_use_by_month_has_no_holes_over_a_new_year() -> None:
    found = stock.monthly({(2026, 12): Decimal(3)}, date(2027, 2, 3), 4)

    assert found == [("2026-11", 0), ("2026-12", 3), ("2027-01", 0), ("2027-02", 0)]
    assert stock.mean_use(used for _month, used in found[:-1]) == 1


@pytest.mark.parametrize(("state", "action"), [pair for pair in PURCHASE_PAIRS if pair not in purchase_states.TRANSITIONS])
def test_a_purchase_moves_only_along_its_table(state: PurchaseState, action: PurchaseAction) -> None:
    with pytest.raises(Conflict) as refused:
        purchase_states.next_state(state, action)

    assert refused.value.state == state


@given(st.lists(st.sampled_from(PurchaseAction), max_size=30))
def test_no_purchase_is_ordered_without_approval(actions: list[PurchaseAction]) -> None:
    state, seen = PurchaseState.PROPOSED, [PurchaseState.PROPOSED]
    for action in actions:
        try:
            state = purchase_states.next_state(state, action)
        except Conflict:
            continue
        seen.append(state)

    for after, approved in ((PurchaseState.ORDERED, PurchaseState.APPROVED), (PurchaseState.RECEIVED, PurchaseState.ORDERED)):
        assert after not in seen or approved in seen[: seen.index(after)]


@pytest.mark.parametrize(("requester", "person", "may"), [(1, 2, True), (1, 1, False), (None, 2, True), (None, None, False)])
def test_nobody_approves_the_own_request(requester: int | None, person: int | None, may: bool) -> None:
    assert purchase_states.may_approve(requester_id=requester, person_id=person) is may


@pytest.mark.parametrize(("state", "action"), [pair for pair in REQUEST_PAIRS if pair not in request_states.TRANSITIONS])
def test_a_report_is_triaged_once(state: RequestState, action: RequestAction) -> None:
    with pytest.raises(Conflict):
        request_states.next_state(state, action)


@pytest.mark.parametrize(
    ("state", "order", "told"),
    [
        (RequestState.NEW, None, "received"),
        (RequestState.REJECTED, None, "rejected"),
        (RequestState.ACCEPTED, OrderState.OPEN, "planned"),
        (RequestState.ACCEPTED, OrderState.ON_HOLD, "in_work"),
        (RequestState.ACCEPTED, OrderState.REOPENED, "in_work"),
        (RequestState.ACCEPTED, OrderState.COMPLETED, "repaired"),
        (RequestState.ACCEPTED, OrderState.VERIFIED, "repaired"),
        (RequestState.ACCEPTED, OrderState.CANCELLED, "closed"),
    ],
)
def test_what_a_reporter_is_told(state: RequestState, order: OrderState | None, told: str) -> None:
    assert request_states.progress(state, order) == told
