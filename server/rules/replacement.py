"""When an asset has lived its life: straight line from installation by years and by run hours, whichever ends first. Pure.

It plans no purchase: cost, date and reason of a replacement are what people write beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

DAYS_A_YEAR = 365.25
LAST_DAY = date(9999, 12, 31)


@dataclass(frozen=True, slots=True)
class Extension:
    """What an overhaul added to the expected life (S1-39)."""

    years: float = 0.0
    hours: float = 0.0


@dataclass(frozen=True, slots=True)
class Life:
    """Expected life of an asset; None = nobody said. `run_hours` counts from new, hours before this installation with it."""

    installed_on: date | None
    years: float | None = None
    hours: float | None = None
    run_hours: float = 0.0
    extensions: Sequence[Extension] = ()
    cost: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Remaining:
    """What is left: share of the life in [0, 1], years, the day it ends, the basis that ends it first, and the value left."""

    share: float
    years: float | None
    ends_on: date | None
    basis: str  # years or hours
    hours: float | None
    value: Decimal | None


def remaining(life: Life, today: date) -> Remaining | None:
    """What is left of the life on `today`; None where neither years nor hours can be judged.

    By years: expected + extensions - age, age = days since installation / 365.25. By hours: expected + extensions - run hours, put
    into years at the mean use since installation (none yet: no day can be named). The value falls in proportion: straight-line
    depreciation to nothing, IAS 16 paragraph 62.
    """
    by_years, by_hours = _by_years(life, today), _by_hours(life, today)
    found = [one for one in (by_years, by_hours) if one is not None]
    if not found:
        return None
    return min(found, key=lambda one: (one.share if one.years is None else 0.0, one.years if one.years is not None else float("inf")))


def _by_years(life: Life, today: date) -> Remaining | None:
    if life.installed_on is None or life.years is None:
        return None
    whole = life.years + sum(extension.years for extension in life.extensions)
    left = whole - age_years(life.installed_on, today)
    return _remaining(life, left, whole, left, "years", today)


def _by_hours(life: Life, today: date) -> Remaining | None:
    if life.hours is None:
        return None
    whole = life.hours + sum(extension.hours for extension in life.extensions)
    left = whole - life.run_hours
    age = age_years(life.installed_on, today) if life.installed_on is not None else 0.0
    a_year = life.run_hours / age if age > 0 else 0.0
    years = left / a_year if a_year > 0 else (0.0 if left <= 0 else None)
    return _remaining(life, left, whole, years, "hours", today)


def _remaining(life: Life, left: float, whole: float, years: float | None, basis: str, today: date) -> Remaining:
    share = min(1.0, max(0.0, left / whole)) if whole > 0 else 0.0
    value = None if life.cost is None else (life.cost * Decimal(share)).quantize(Decimal("0.01"), ROUND_HALF_UP)
    hours = max(0.0, left) if basis == "hours" else None
    ends_on = None if years is None else day_after(today, years)
    return Remaining(share, None if years is None else max(0.0, years), ends_on, basis, hours, value)


def age_years(installed_on: date, today: date) -> float:
    """Years since installation, 0 before it."""
    return max(0, (today - installed_on).days) / DAYS_A_YEAR


def day_after(today: date, years: float) -> date:
    """The day that many years from today; a past one for negative years, the calendar's last where it would end."""
    days = years * DAYS_A_YEAR
    if days >= (LAST_DAY - today).days:
        return LAST_DAY
    return today + timedelta(days=max(days, -(today - date.min).days))
