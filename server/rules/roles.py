"""Roles and what each may do; the one table that routes, socket rooms and pages ask.

Rights say what a role may do in its own site; which rows of that site is the stores' business.
"""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """Roles of DESIGN.md 5."""

    ADMIN = "admin"
    MANAGER = "manager"
    PLANNER = "planner"
    STOREKEEPER = "storekeeper"
    TECHNICIAN = "technician"
    OPERATOR = "operator"
    VIEWER = "viewer"


_READ = frozenset({"overview.read", "assets.read", "alerts.read", "readings.read", "downtime.read"})
_RECORDS = frozenset({"calibrations.read", "procedures.read", "plans.read", "parts.read", "requests.read", "jobs.read"})
_SEE_WORK = _READ | _RECORDS | {"orders.read", "notifications.read", "plc.read"}
_OPERATE = _SEE_WORK | {"plc.stop"} | {"alerts.acknowledge", "alerts.shelve", "orders.create", "downtime.classify", "attachments.write"}
_STORE = frozenset({"attachments.write", "parts.issue", "parts.write", "purchases.write", "reports.read"})
_WORK = (
    _OPERATE
    | {"alerts.resolve", "orders.work", "orders.verify", "pair.approve", "ar.read", "ar.write"}
    | {"calibrations.write", "parts.issue", "reports.read"}
)
_PLAN = (
    _OPERATE
    | {"alerts.resolve", "orders.assign", "assets.write", "classes.write", "procedures.write", "plans.write", "calendar.write"}
    | {"requests.triage", "contractors.write", "teams.write", "standards.write", "users.read", "purchases.write"}
    | {"reports.read", "reports.schedule", "policies.read"}
)
_MANAGE = (
    _WORK
    | _PLAN
    | _STORE
    | {"tags.write", "sources.write", "readings.write", "simulator.write", "system.read"}
    | {"calibrations.accept", "purchases.approve", "policies.write", "audit.read"}
)

RIGHTS: dict[Role, frozenset[str]] = {
    Role.VIEWER: _READ,
    Role.STOREKEEPER: _SEE_WORK | _STORE,
    Role.OPERATOR: _OPERATE | {"simulator.write"},
    Role.TECHNICIAN: _WORK | {"simulator.write"},
    Role.PLANNER: _PLAN,
    Role.MANAGER: _MANAGE,
    Role.ADMIN: _MANAGE | {"users.write", "taxonomy.write", "plc.release"},
}

CONTRACT: frozenset[str] = frozenset({"contract.read", "contract.work"})  # of a contractor's link, for its one order; no role has them

GRANTED: frozenset[str] = frozenset({"plc.write"})  # no role has them, admin neither: an admin gives them to a named person

ALL_RIGHTS: frozenset[str] = CONTRACT.union(GRANTED, *RIGHTS.values())

RESERVED_NAMES = frozenset({"system", "signal", "policy", "demo", "nobody"})  # the audit trail writes them for what no person did


def rights_of(role: Role) -> frozenset[str]:
    """Everything the role may do."""
    return RIGHTS[role]


def may(role: Role, right: str) -> bool:
    """Whether the role has the right; raises KeyError for a right nobody has, which is a misspelling."""
    if right not in ALL_RIGHTS:
        raise KeyError(right)
    return right in RIGHTS[role]
