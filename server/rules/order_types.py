"""Kinds of work orders, and when one is late: pure, `now` is an argument. What may be done with one is in work_order."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from server.rules.work_order import OrderState


class OrderType(StrEnum):
    """Why the work is done."""

    CORRECTIVE = "corrective"
    PREVENTIVE = "preventive"
    PREDICTIVE = "predictive"
    CALIBRATION = "calibration"
    INSPECTION = "inspection"
    SAFETY = "safety"
    PROJECT = "project"


DONE = frozenset({OrderState.COMPLETED, OrderState.VERIFIED, OrderState.CANCELLED})


def is_overdue(state: OrderState, due: datetime | None, now: datetime) -> bool:
    """Whether the work should have been done by now and is not."""
    return due is not None and state not in DONE and now > due


def is_breached(state: OrderState, sla_at: datetime | None, completed_at: datetime | None, now: datetime) -> bool:
    """Whether the promise was broken: done too late, or still not done after its time. A cancelled order promises nothing."""
    if sla_at is None or state is OrderState.CANCELLED:
        return False
    return (completed_at or now) > sla_at
