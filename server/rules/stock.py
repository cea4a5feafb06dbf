"""What a store may give away and what its stock is worth: available = stock - reserved, moving average cost.

Pure; the ledger itself is in server/store/ledger.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum

from server.errors import Conflict, Invalid

STEP = Decimal("0.001")
COST_STEP = Decimal("0.000001")
CENT = Decimal("0.01")
LARGEST = Decimal(10**9)


class Reason(StrEnum):
    """Why stock moves."""

    RECEIPT = "receipt"
    ISSUE = "issue"
    RETURN = "return"
    ADJUSTMENT = "adjustment"
    TRANSFER = "transfer"
    COUNT = "count"


@dataclass(frozen=True, slots=True)
class Level:
    """Stock of a part in a store, all of it and what is kept for orders."""

    on_hand: Decimal
    reserved: Decimal

    @property
    def available(self) -> Decimal:
        """What may be given away; negative only after a count found less than was promised."""
        return self.on_hand - self.reserved


def quantity(value: float | Decimal, field: str = "quantity", *, zero: bool = False) -> Decimal:
    """A positive quantity in thousandths; raises Invalid for what is not one."""
    found = Decimal(str(value))
    if not found.is_finite() or found < 0 or found > LARGEST or (found == 0 and not zero):
        raise Invalid(field, "out_of_range", f"more than 0 and at most {LARGEST:,}" if not zero else f"0 to {LARGEST:,}")
    if found != found.quantize(STEP):
        raise Invalid(field, "too_fine", "three decimals at most")
    return found.quantize(STEP)


def check_available(level: Level, wanted: Decimal, *, own_reserved: Decimal = Decimal(0)) -> None:
    """Raise Conflict unless `wanted` may be taken; what the taker itself has reserved is there for it."""
    free = level.available + own_reserved
    if wanted > free:
        raise Conflict("not_in_stock", f"{plain(max(free, Decimal(0)))} available, {plain(wanted)} wanted", str(plain(free)))


def averaged(on_hand: Decimal, average: Decimal, arrived: Decimal, cost: Decimal) -> Decimal:
    """Moving average unit cost after `arrived` pieces at `cost` each: (stock x average + arrived x cost) / (stock + arrived).

    Source: weighted average cost formula of IAS 2.27, recalculated at each receipt. Nothing on hand: the new cost.
    """
    if on_hand <= 0:
        return cost.quantize(COST_STEP)
    return ((on_hand * average + arrived * cost) / (on_hand + arrived)).quantize(COST_STEP, ROUND_HALF_EVEN)


def money(amount: Decimal) -> Decimal:
    """Rounded to cents, half to even."""
    return amount.quantize(CENT, ROUND_HALF_EVEN)


def plain(value: Decimal) -> int | float:
    """As a JSON number: 3 rather than 3.0."""
    return int(value) if value == value.to_integral_value() else float(value)


def monthly(used: Mapping[tuple[int, int], Decimal], today: date, months: int) -> list[tuple[str, Decimal]]:
    """Use of the last `months` calendar months, oldest first, 0 where nothing was taken; the last is the running month."""
    found: list[tuple[str, Decimal]] = []
    for back in range(months - 1, -1, -1):
        year, month = divmod(today.year * 12 + today.month - 1 - back, 12)
        found.append((f"{year:04d}-{month + 1:02d}", used.get((year, month + 1), Decimal(0))))
    return found


def mean_use(uses: Iterable[Decimal]) -> Decimal:
    """Arithmetic mean a month; 0 without a month."""
    rows = list(uses)
    return sum(rows, Decimal(0)) / len(rows) if rows else Decimal(0)
