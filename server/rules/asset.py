"""The two states of an asset: `operating` comes from the PLC, `maintenance` from work. They are never merged."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

from server.rules.work_order import IN_WORK, OrderState


class Operating(StrEnum):
    """What the machine does."""

    RUNNING = "running"
    IDLE = "idle"
    STOPPED = "stopped"
    FAULT = "fault"
    UNKNOWN = "unknown"


class Maintenance(StrEnum):
    """What people have to do with it; FIXED becomes OK when the order is verified."""

    OK = "ok"
    FAULTY = "faulty"
    IN_WORK = "in_work"
    FIXED = "fixed"


def maintenance_of(orders: Collection[OrderState], *, corrective_waiting: bool) -> Maintenance:
    """The state that the asset's unverified orders mean; the most pressing wins."""
    if any(state in IN_WORK for state in orders):
        return Maintenance.IN_WORK
    if corrective_waiting:
        return Maintenance.FAULTY
    if OrderState.COMPLETED in orders:
        return Maintenance.FIXED
    return Maintenance.OK
