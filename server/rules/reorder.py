"""When to buy a part and how many: the reorder rule with the calculation in words. Pure; purchases are made elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from server.rules.stock import STEP, plain

DAYS_A_MONTH = Decimal("30.4375")


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A part as the rule sees it. available = stock - reserved over all stores; on_order = bought or asked for, not yet here.

    monthly_use: mean of the last full months. minimum 0 = not kept in stock; maximum and lot 0 = none.
    """

    available: Decimal
    on_order: Decimal
    minimum: Decimal
    maximum: Decimal
    lot: Decimal
    lead_days: int
    monthly_use: Decimal


@dataclass(frozen=True, slots=True)
class Proposal:
    """Buy `quantity`; `why` is the calculation as a person would write it."""

    quantity: Decimal
    why: str


def reorder_point(position: Position) -> Decimal:
    """Minimum, or what is used while one waits for the delivery where that is more: max(minimum, use a month x lead time)."""
    use = position.monthly_use * position.lead_days / DAYS_A_MONTH
    return max(position.minimum, use.quantize(STEP, ROUND_CEILING))


def propose(position: Position) -> Proposal | None:
    """What to buy; None while enough is there or on its way, or for a part that is not kept in stock.

    Below the reorder point it fills up to the maximum (without one, to the reorder point), in whole lots where the part has one.
    """
    if position.minimum <= 0:
        return None
    point, there = reorder_point(position), position.available + position.on_order
    if there >= point:
        return None
    target = max(position.maximum, point)
    missing = target - there
    if position.lot > 0:
        missing = (missing / position.lot).to_integral_value(ROUND_CEILING) * position.lot
    return Proposal(missing.quantize(STEP), _why(position, point, target))


def _why(position: Position, point: Decimal, target: Decimal) -> str:
    words = f"available {plain(position.available)} + on order {plain(position.on_order)} < {plain(point)}"
    if point > position.minimum:
        use = plain(position.monthly_use.quantize(Decimal("0.1")))
        words += f" (use of {use} a month x {position.lead_days} days of delivery, minimum {plain(position.minimum)})"
    words += f"; fill up to {plain(target)}"
    return words + (f" in lots of {plain(position.lot)}" if position.lot > 0 else "")
