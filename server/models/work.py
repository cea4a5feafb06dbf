"""Work: orders, procedures with their pinned versions, step events, proof windows, policies and teams."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Computed, Index, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from server.models.base import Base, Code, Json, JsonList, Key, Words, to
from server.models.plant import EMPTY, NO, NONE, YES, Money

# a contains-search reads one column once, as on assets
SEARCHED_ORDER = "lower(number || ' ' || title || ' ' || description || ' ' || coalesce(external_ref, ''))"


class Team(Base):
    """Technicians of a site who share the orders a policy gives them."""

    __tablename__ = "teams"
    __table_args__ = (Index("uq_teams_site_id_name", "site_id", "name", unique=True, postgresql_where=text("deleted_at IS NULL")),)

    id: Mapped[Key]
    site_id: Mapped[int] = mapped_column(to("sites.id"))
    name: Mapped[Words]
    labour_rate: Mapped[Money | None]  # an hour's cost where a labour entry names none
    shift: Mapped[Code | None]  # name of a shift of the site
    deleted_at: Mapped[datetime | None]
    rev: Mapped[int] = mapped_column(server_default="1", default=1)


class Procedure(Base):
    """How a job is done; its steps live in versions. `draft` is what an editor has not published yet, in a version's shape."""

    __tablename__ = "procedures"
    __table_args__ = (UniqueConstraint("site_id", "code"),)

    id: Mapped[Key]
    site_id: Mapped[int | None] = mapped_column(to("sites.id"))
    code: Mapped[Code]
    title: Mapped[Words]
    class_id: Mapped[int | None] = mapped_column(to("asset_classes.id"))
    active: Mapped[bool] = mapped_column(server_default=YES, default=True)  # False = retired: no new order gets it
    draft: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    drafted_by: Mapped[Words | None]
    drafted_at: Mapped[datetime | None]
    rev: Mapped[int] = mapped_column(server_default="1", default=1)


class ProcedureVersion(Base):
    """An immutable version; `steps` and `safety` have the shape of AR_FEED.md 1. The newest is used for new orders.

    `{asset}` inside a step's live or in.tag stands for the code of the order's asset.
    """

    __tablename__ = "procedure_versions"
    __table_args__ = (UniqueConstraint("procedure_id", "version"),)

    id: Mapped[Key]
    procedure_id: Mapped[int] = mapped_column(to("procedures.id"))
    version: Mapped[int]
    steps: Mapped[JsonList]
    safety: Mapped[JsonList] = mapped_column(server_default=NONE, default=list)
    hazards: Mapped[JsonList] = mapped_column(server_default=NONE, default=list)
    lock_out: Mapped[bool] = mapped_column(server_default=NO, default=False)
    estimated_min: Mapped[int] = mapped_column(server_default="30", default=30)
    published_at: Mapped[datetime] = mapped_column(server_default=func.now())
    published_by: Mapped[Words] = mapped_column(server_default="system", default="system")
    note: Mapped[str] = mapped_column(server_default="", default="")  # what changed, for who reads the history


class Policy(Base):
    """From alert type and asset class (None = any) to priority, procedure and team; the most specific row wins."""

    __tablename__ = "policies"
    __table_args__ = (Index("ix_policies_site", "site_id"),)

    id: Mapped[Key]
    site_id: Mapped[int | None] = mapped_column(to("sites.id"))
    alert_type: Mapped[Code]
    class_id: Mapped[int | None] = mapped_column(to("asset_classes.id"))
    opens_order: Mapped[bool] = mapped_column(server_default=YES, default=True)
    priority: Mapped[Code | None]  # None = by severity and criticality
    procedure_id: Mapped[int | None] = mapped_column(to("procedures.id"))
    team_id: Mapped[int | None] = mapped_column(to("teams.id"))
    auto_assign: Mapped[bool] = mapped_column(server_default=NO, default=False)
    due_hours: Mapped[float | None]
    proof_s: Mapped[float | None]
    title: Mapped[Words | None]
    rev: Mapped[int] = mapped_column(server_default="1", default=1)
    deleted_at: Mapped[datetime | None]


class SlaHours(Base):
    """Hours within which a site promises an order of a priority; without a row those of server/rules/priorities.py count."""

    __tablename__ = "sla_hours"
    __table_args__ = (
        Index("uq_sla_hours_site_id_priority", "site_id", "priority", unique=True, postgresql_where=text("deleted_at IS NULL")),
    )

    id: Mapped[Key]
    site_id: Mapped[int] = mapped_column(to("sites.id"))
    priority: Mapped[Code]
    hours: Mapped[float]
    rev: Mapped[int] = mapped_column(server_default="1", default=1)
    deleted_at: Mapped[datetime | None]


class WorkOrder(Base):
    """One job on one asset; `state` moves only along server/rules/work_order.py. `searched` is kept by the database."""

    __tablename__ = "work_orders"
    __table_args__ = (
        UniqueConstraint("number"),
        Index("ix_work_orders_site_state", "site_id", "state"),
        Index("ix_work_orders_assignee_state", "assignee_id", "state"),
        Index("ix_work_orders_site_created", "site_id", "created_at"),
        Index("ix_work_orders_site_id_id", "site_id", "id"),  # a page far down is found without reading the orders before it
        Index("ix_work_orders_site_due", "site_id", "due", "id"),
        # the latest due date first, orders without one last: as `sort=-due_at` asks
        Index("ix_work_orders_site_due_last", "site_id", text("due DESC NULLS LAST"), text("id DESC")),
        Index("ix_work_orders_site_completed", "site_id", "completed_at"),
    )

    id: Mapped[Key]
    number: Mapped[Code]
    external_ref: Mapped[Code | None] = mapped_column(index=True)  # its name in another system
    site_id: Mapped[int] = mapped_column(to("sites.id"))
    asset_id: Mapped[int] = mapped_column(to("assets.id"), index=True)
    parent_id: Mapped[int | None] = mapped_column(to("work_orders.id"), index=True)
    alert_id: Mapped[int | None] = mapped_column(to("alert_records.id"), index=True)
    repeat_of_id: Mapped[int | None] = mapped_column(to("work_orders.id"))
    title: Mapped[Words]
    description: Mapped[str] = mapped_column(server_default="", default="")
    type: Mapped[Code] = mapped_column(server_default="corrective", default="corrective")  # one of rules.order_types
    priority: Mapped[Code] = mapped_column(server_default="normal", default="normal")
    state: Mapped[Code] = mapped_column(server_default="open", default="open")
    team_id: Mapped[int | None] = mapped_column(to("teams.id"))
    assignee_id: Mapped[int | None] = mapped_column(to("users.id"))
    created_by: Mapped[Words]
    procedure_id: Mapped[int | None] = mapped_column(to("procedures.id"))
    procedure_version_id: Mapped[int | None] = mapped_column(to("procedure_versions.id"))  # pinned at start
    proof_s: Mapped[float | None]
    due: Mapped[datetime | None]
    sla_at: Mapped[datetime | None]  # what its priority or its policy promised; `due` is what was planned
    estimated_min: Mapped[int | None]
    other_cost: Mapped[Money] = mapped_column(server_default="0", default=Decimal(0))
    actual_min: Mapped[int | None]
    occurrences: Mapped[int] = mapped_column(server_default="0", default=0)
    hold_reason: Mapped[str | None]
    problem: Mapped[str | None]  # an open problem: the feed shows the task as blocked
    verdict: Mapped[Code | None]
    notes: Mapped[str | None]
    parts: Mapped[JsonList] = mapped_column(server_default=NONE, default=list)
    signature: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))  # {name, at, strokes?} of the completer
    reopen_reason: Mapped[str | None]
    cancel_reason: Mapped[str | None]
    created_at: Mapped[datetime]
    assigned_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    completed_by_id: Mapped[int | None] = mapped_column(to("users.id"))
    verified_at: Mapped[datetime | None]
    verified_by: Mapped[Words | None]  # "signal" or the name of a person
    reopened_at: Mapped[datetime | None]
    cancelled_at: Mapped[datetime | None]
    changed_at: Mapped[datetime]
    searched: Mapped[str] = mapped_column(Computed(SEARCHED_ORDER, persisted=True), deferred=True)
    rev: Mapped[int] = mapped_column(server_default="1", default=1)


class Occurrence(Base):
    """A finding that came while its order was not yet verified: counted on it, never a second order."""

    __tablename__ = "work_order_occurrences"
    __table_args__ = (UniqueConstraint("order_id", "finding_key"),)

    id: Mapped[Key]
    order_id: Mapped[int] = mapped_column(to("work_orders.id"))
    alert_id: Mapped[int] = mapped_column(to("alert_records.id"))
    finding_key: Mapped[Words]
    detector: Mapped[Code]
    value: Mapped[float | None]
    at: Mapped[datetime]


class StepEvent(Base):
    """One append-only event on a step: `answer` or `undo`; the last per step counts. `at` is the device's clock."""

    __tablename__ = "step_events"
    __table_args__ = (Index("ix_step_events_order_step", "order_id", "step_id"),)

    id: Mapped[Key]
    order_id: Mapped[int] = mapped_column(to("work_orders.id"))
    procedure_version_id: Mapped[int] = mapped_column(to("procedure_versions.id"))
    step_id: Mapped[Code]
    kind: Mapped[Code]
    value: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True))
    unit: Mapped[Code | None]
    option: Mapped[Code | None]
    code: Mapped[Words | None]
    media: Mapped[JsonList] = mapped_column(server_default=NONE, default=list)
    note: Mapped[str | None]
    ok: Mapped[bool | None]  # False: outside lo..hi, failed check or wrong choice; valid all the same
    next_step: Mapped[Code | None]
    user_id: Mapped[int] = mapped_column(to("users.id"))
    by: Mapped[Code]  # voice touch gaze keys auto page
    at: Mapped[datetime]
    received_at: Mapped[datetime]


class ProofWindow(Base):
    """The promise that the signal judges the repair: settle, then `required_s` of running, good time.

    state: settling, running, proved, reopened, decision (a person decides), ended (a person decided or the order went on).
    """

    __tablename__ = "proof_windows"

    id: Mapped[Key]
    order_id: Mapped[int] = mapped_column(to("work_orders.id"), index=True)
    alert_id: Mapped[int] = mapped_column(to("alert_records.id"))
    state: Mapped[Code] = mapped_column(index=True)
    opened_at: Mapped[datetime]
    settle_until: Mapped[datetime]
    deadline: Mapped[datetime]
    required_s: Mapped[float]
    good_s: Mapped[float] = mapped_column(server_default="0", default=0.0)
    tags: Mapped[JsonList] = mapped_column(server_default=NONE, default=list)
    reason: Mapped[str | None]
    evidence: Mapped[Json] = mapped_column(server_default=EMPTY, default=dict)
    closed_at: Mapped[datetime | None]


class Counter(Base):
    """Readable numbers (WO-1042, ALERT_0042): one row per kind, taken under its row lock."""

    __tablename__ = "counters"

    name: Mapped[Code] = mapped_column(primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger)
