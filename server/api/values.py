"""Values of records as bodies bring them: money, days. Strict like `blueprint.Number`: "5" is not 5."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import marshmallow as ma

LARGEST = Decimal("999999999999.99")
EARLIEST, LATEST = date(1900, 1, 1), date(2200, 12, 31)
CRITICALITIES = ("low", "medium", "high", "critical")


class Money(ma.fields.Field[Decimal]):
    """An amount of money: a JSON number >= 0 with at most two decimals, in the site's currency."""

    default_error_messages = {"invalid": "Not an amount of money: a number from 0 with two decimals at most."}  # noqa: RUF012

    def __init__(self, **kwargs: Any) -> None:
        described = {"type": "number", "minimum": 0, "maximum": float(LARGEST), "description": "two decimals at most"}
        super().__init__(metadata={**described, **kwargs.pop("metadata", {})}, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Decimal:
        del attr, data, kwargs
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.make_error("invalid")
        amount = Decimal(str(value))
        if not amount.is_finite() or not 0 <= amount <= LARGEST or amount != round(amount, 2):
            raise self.make_error("invalid")
        return round(amount, 2)


def _of_this_age(value: date) -> None:
    if not EARLIEST <= value <= LATEST:
        raise ma.ValidationError("Before 1900 or after 2200.")


def day(*, validate: Callable[[date], None] = _of_this_age, **kwargs: Any) -> ma.fields.Date:
    """A calendar day from 1900 to 2200, `2026-11-20`."""
    return ma.fields.Date(format="iso", validate=validate, **kwargs)


def criticality(**kwargs: Any) -> ma.fields.String:
    """How much hangs on a thing."""
    return ma.fields.String(validate=ma.validate.OneOf(CRITICALITIES), **kwargs)


def line(longest: int = 200, **kwargs: Any) -> ma.fields.String:
    """A text that may be empty."""
    return ma.fields.String(validate=ma.validate.Length(0, longest), **kwargs)
