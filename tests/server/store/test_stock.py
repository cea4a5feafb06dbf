"""The ledger on a real database: stock is its sum, nobody edits it, the last piece goes to one, reserved never exceeds stock."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from server.database import Database
from server.errors import Conflict, Forbidden, Invalid, NotFound
from server.models.audit import AuditLog
from server.models.parts import Part, Reservation, StockLevel, StockMovement, Store
from server.models.work import WorkOrder
from server.rules.roles import Role
from server.rules.stock import Reason
from server.store import ledger, orders, parts, reservations
from server.store.actor import Actor
from server.store.ledger import Move
from server.store.levels import level_of, totals_of
from tests.server.small_plant import NOW, SmallPlant


@dataclass(frozen=True)
class Stock:
    """A part in two stores and two orders that may need it."""

    part: int
    main: int
    line: int
    order: int
    other_order: int
    keeper: Actor


@pytest.fixture
def stock(database: Database, plant: SmallPlant) -> Stock:
    keeper = Actor(plant["manager"].id, "K.Keeper", Role.STOREKEEPER, plant.site)
    with database.transaction() as session:
        main, line = (parts.create_store(session, {"code": code, "name": code}, keeper, NOW) for code in ("MAIN", "LINE"))
        part = parts.create_part(session, {"name": "Bearing 6205", "unit_cost": Decimal("12.50")}, keeper, NOW)
        wanted = [
            orders.create_order(session, orders.NewOrder(title=t, asset_id=plant.pump), plant["manager"], NOW) for t in ("One", "Two")
        ]
        return Stock(part.id, main.id, line.id, wanted[0].id, wanted[1].id, keeper)


def book(database: Database, stock: Stock, reason: Reason, quantity: object, **other: object) -> None:
    wish = Move(**{"part_id": stock.part, "store_id": stock.main, "reason": reason, "quantity": Decimal(str(quantity)), **other})  # type: ignore[arg-type]
    with database.transaction() as session:
        ledger.move(session, wish, stock.keeper, NOW)


def reserve(database: Database, stock: Stock, quantity: object, order: int | None = None) -> int:
    wish = reservations.Wish(stock.part, stock.main, order or stock.order, Decimal(str(quantity)))
    with database.transaction() as session:
        return reservations.reserve(session, wish, stock.keeper, NOW).id


def level(database: Database, stock: Stock) -> tuple[Decimal, Decimal, Decimal]:
    """On hand, reserved, available in the main store."""
    with database.transaction() as session:
        found = level_of(session, stock.part, stock.main)
        return found.on_hand, found.reserved, found.available


def test_stock_is_the_sum_of_the_ledger_and_every_line_is_audited(database: Database, stock: Stock) -> None:
    book(database, stock, Reason.RECEIPT, 10, unit_cost=Decimal(12))
    book(database, stock, Reason.ISSUE, 3, order_id=stock.order)
    book(database, stock, Reason.RETURN, 1, order_id=stock.order)
    book(database, stock, Reason.ADJUSTMENT, -2, note="two were rusty")
    book(database, stock, Reason.TRANSFER, 4, to_store_id=stock.line)
    book(database, stock, Reason.COUNT, 1)

    with database.transaction() as session:
        sums = dict(
            session.execute(select(StockMovement.store_id, func.sum(StockMovement.quantity)).group_by(StockMovement.store_id)).all()
        )
        cached = dict(session.execute(select(StockLevel.store_id, StockLevel.on_hand)).all())
        told = session.scalars(select(AuditLog.action).where(AuditLog.action.like("stock.%")).order_by(AuditLog.id)).all()
    assert sums == cached == {stock.main: Decimal(1), stock.line: Decimal(4)}
    assert told == ["stock.receipt", "stock.issue", "stock.return", "stock.adjustment", "stock.transfer", "stock.transfer", "stock.count"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE stock_movements SET quantity = 99",
        "DELETE FROM stock_movements",
        "TRUNCATE stock_movements",
        "UPDATE stock_levels SET on_hand = 99",
        "DELETE FROM stock_levels",
        "TRUNCATE stock_levels",
        "INSERT INTO stock_levels (part_id, store_id, on_hand) SELECT part_id, store_id + 1, 1 FROM stock_levels",
    ],
)
def test_nobody_writes_the_past_or_the_sum(database: Database, stock: Stock, statement: str) -> None:
    book(database, stock, Reason.RECEIPT, 10)

    with pytest.raises(DBAPIError, match="append-only"), database.transaction() as session:
        session.execute(text(statement))

    assert level(database, stock)[0] == 10


def test_a_line_behind_our_back_cannot_make_stock_negative(database: Database, stock: Stock) -> None:
    book(database, stock, Reason.RECEIPT, 1)

    with pytest.raises(DBAPIError, match="ck_stock_levels_not_negative"), database.transaction() as session:
        session.add(
            StockMovement(
                part_id=stock.part, store_id=stock.main, reason="issue", quantity=Decimal(-2), unit_cost=Decimal(0), by="x", at=NOW
            )
        )


def test_reserved_stock_is_kept_for_its_order(database: Database, stock: Stock) -> None:
    book(database, stock, Reason.RECEIPT, 5)
    reserve(database, stock, 4)

    with pytest.raises(Conflict, match="1 available, 2 wanted"):
        book(database, stock, Reason.ISSUE, 2, order_id=stock.other_order)
    book(database, stock, Reason.ISSUE, 3, order_id=stock.order)

    assert level(database, stock) == (2, 1, 1)


def test_a_reservation_asks_for_what_is_available(database: Database, stock: Stock) -> None:
    book(database, stock, Reason.RECEIPT, 5)
    reserve(database, stock, 4)

    with pytest.raises(Conflict, match="1 available, 2 wanted"):
        reserve(database, stock, 2, stock.other_order)


def test_what_an_order_kept_is_free_when_it_ends_and_twice_changes_nothing(database: Database, stock: Stock) -> None:
    book(database, stock, Reason.RECEIPT, 5)
    reserve(database, stock, 4)

    for _again in range(2):
        with database.transaction() as session:
            reservations.release_for_order(session, stock.order, stock.keeper, NOW)

    assert level(database, stock) == (5, 0, 5)


def test_cancelling_the_order_releases_its_reservation(database: Database, plant: SmallPlant, stock: Stock) -> None:
    book(database, stock, Reason.RECEIPT, 5)
    reserve(database, stock, 4)

    with database.transaction() as session:
        orders.act(session, stock.order, "cancel", plant["manager"], NOW, reason="not needed")

    assert level(database, stock) == (5, 0, 5)


def test_only_a_count_may_leave_less_than_is_promised(database: Database, stock: Stock) -> None:
    book(database, stock, Reason.RECEIPT, 5)
    reserve(database, stock, 4)

    with pytest.raises(Conflict):
        book(database, stock, Reason.ADJUSTMENT, -2, note="lost")
    with pytest.raises(Conflict):
        book(database, stock, Reason.TRANSFER, 2, to_store_id=stock.line)
    book(database, stock, Reason.COUNT, 2)

    assert level(database, stock) == (2, 4, -2)


def test_a_stock_take_writes_a_line_for_everything_counted(database: Database, stock: Stock) -> None:
    book(database, stock, Reason.RECEIPT, 5)

    with database.transaction() as session:
        rows = ledger.take_stock(session, stock.main, {stock.part: Decimal("4.5")}, "yearly", stock.keeper, NOW)

    assert [row.quantity for row in rows] == [Decimal("-0.5")]
    assert level(database, stock)[0] == Decimal("4.5")


def test_an_order_knows_its_parts_and_what_they_cost(database: Database, stock: Stock) -> None:
    book(database, stock, Reason.RECEIPT, 10, unit_cost=Decimal(10))
    book(database, stock, Reason.ISSUE, 2, order_id=stock.order)
    book(database, stock, Reason.RECEIPT, 8, unit_cost=Decimal(20))
    book(database, stock, Reason.ISSUE, 2, order_id=stock.order)
    book(database, stock, Reason.RETURN, 1, order_id=stock.order)

    with database.transaction() as session:
        used = ledger.parts_of_orders(session, [stock.order, stock.other_order])
        costs = ledger.cost_of_orders(session, [stock.order, stock.other_order])
        average = session.get_one(Part, stock.part).average_cost
    assert used[stock.other_order] == []
    assert [(row.name, row.quantity) for row in used[stock.order]] == [("Bearing 6205", 3)]
    assert costs == {stock.order: Decimal("37.50"), stock.other_order: 0}  # 2 x 10 + 2 x 15, one back at their mean
    assert average == Decimal("14.833333")  # (14 x 15 + 12.5) / 15


def test_nothing_comes_back_that_was_not_issued(database: Database, stock: Stock) -> None:
    book(database, stock, Reason.RECEIPT, 5)
    book(database, stock, Reason.ISSUE, 1, order_id=stock.order)

    with pytest.raises(Conflict, match="1 were issued"):
        book(database, stock, Reason.RETURN, 2, order_id=stock.order)
    with pytest.raises(Conflict, match="0 were issued"):
        book(database, stock, Reason.RETURN, 1, order_id=stock.other_order)
    with pytest.raises(Invalid):
        book(database, stock, Reason.RETURN, 1)


def test_rights_and_sites_of_the_stores(database: Database, plant: SmallPlant, stock: Stock) -> None:
    book(database, stock, Reason.RECEIPT, 5)
    receipt = Move(part_id=stock.part, store_id=stock.main, reason=Reason.RECEIPT, quantity=Decimal(1))

    with pytest.raises(Forbidden), database.transaction() as session:
        ledger.move(session, receipt, plant["benali"], NOW)
    with pytest.raises(NotFound), database.transaction() as session:
        ledger.move(session, receipt, plant["stranger"], NOW)
    with pytest.raises(NotFound), database.transaction() as session:
        parts.get_part(session, stock.part, plant["stranger"])


def at_once(deeds: list[Callable[[], None]]) -> list[str]:
    """Run the deeds in threads that start together; the names of what each raised, "" where it went through."""
    gate, outcome = threading.Barrier(len(deeds)), [""] * len(deeds)

    def run(n: int) -> None:
        gate.wait()
        try:
            deeds[n]()
        except (Conflict, DBAPIError) as error:
            outcome[n] = type(error).__name__

    threads = [threading.Thread(target=run, args=(n,)) for n in range(len(deeds))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcome


def test_of_many_who_take_the_last_piece_one_wins(database: Database, stock: Stock) -> None:
    book(database, stock, Reason.RECEIPT, 1)

    outcome = at_once([lambda: book(database, stock, Reason.ISSUE, 1, order_id=stock.order)] * 8)

    assert sorted(outcome) == ["", *["Conflict"] * 7]
    assert level(database, stock) == (0, 0, 0)


def test_of_many_who_reserve_the_last_piece_one_wins(database: Database, stock: Stock) -> None:
    book(database, stock, Reason.RECEIPT, 1)

    def deed(order: int) -> Callable[[], None]:
        return lambda: (reserve(database, stock, 1, order), None)[1]

    outcome = at_once([deed(stock.order), deed(stock.other_order)] * 4)

    assert sorted(outcome) == ["", *["Conflict"] * 7]
    assert level(database, stock) == (1, 1, 0)


_QUANTITY = st.integers(1, 6).map(Decimal)
_DEEDS = st.lists(
    st.tuples(
        st.sampled_from(["receipt", "issue", "issue_other", "return", "adjust", "transfer", "reserve", "release", "cancel"]), _QUANTITY
    ),
    min_size=4,
    max_size=16,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(_DEEDS)
def test_ledger_and_reservations_hold_under_concurrent_writers(database: Database, stock: Stock, wished: list[tuple[str, Decimal]]) -> None:
    def deed(kind: str, quantity: Decimal) -> Callable[[], None]:
        def other() -> None:
            with database.transaction() as session:
                reservations.release_for_order(session, stock.order, stock.keeper, NOW)

        table: dict[str, Callable[[], object]] = {
            "receipt": lambda: book(database, stock, Reason.RECEIPT, quantity),
            "issue": lambda: book(database, stock, Reason.ISSUE, quantity, order_id=stock.order),
            "issue_other": lambda: book(database, stock, Reason.ISSUE, quantity, order_id=stock.other_order),
            "return": lambda: book(database, stock, Reason.RETURN, quantity, order_id=stock.order),
            "adjust": lambda: book(database, stock, Reason.ADJUSTMENT, -quantity, note="lost"),
            "transfer": lambda: book(database, stock, Reason.TRANSFER, quantity, to_store_id=stock.line),
            "reserve": lambda: reserve(database, stock, quantity),
            "release": other,
            "cancel": lambda: _release_newest(database, stock),
        }
        return lambda: (table[kind](), None)[1]

    for start in range(0, len(wished), 4):
        outcome = at_once([deed(kind, quantity) for kind, quantity in wished[start : start + 4]])
        assert set(outcome) <= {"", "Conflict"}, "no deadlock, no broken constraint"

    with database.transaction() as session:
        _check_invariants(session, stock)


def _release_newest(database: Database, stock: Stock) -> None:
    with database.transaction() as session:
        newest = session.scalar(select(func.max(Reservation.id)).where(Reservation.part_id == stock.part))
        if newest is not None:
            reservations.release(session, newest, stock.keeper, NOW)


def _check_invariants(session: Session, stock: Stock) -> None:
    running: dict[int, Decimal] = {}
    for row in session.scalars(select(StockMovement).where(StockMovement.part_id == stock.part).order_by(StockMovement.id)):
        running[row.store_id] = running.get(row.store_id, Decimal(0)) + row.quantity
        assert running[row.store_id] >= 0
    cached = dict(session.execute(select(StockLevel.store_id, StockLevel.on_hand).where(StockLevel.part_id == stock.part)).all())
    assert running == cached
    for store in (stock.main, stock.line):
        found = level_of(session, stock.part, store)
        assert found.reserved <= found.on_hand
    assert totals_of(session, [stock.part]).get(stock.part, level_of(session, stock.part, stock.main)).on_hand == sum(cached.values())
    assert session.scalar(select(func.count()).select_from(WorkOrder)) == 2
    assert session.scalar(select(func.count()).select_from(Store)) == 2
