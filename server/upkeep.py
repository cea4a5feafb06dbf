"""What the leader does by the clock beside proofs and outbox: due dates, reminders, escalations, overdue records.

A row of `TASKS` is one idempotent function of a session and the time, in a transaction of its own; server/schedule.py calls what is due.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session

from server import audit_watch
from server.backup import runs
from server.database import Database
from server.store import (
    calibration_due,
    diagnosing,
    escalations,
    fault_story,
    health_follow,
    kept_spans,
    lives,
    mail,
    meter_counts,
    plan_orders,
    report_schedules,
    standstill,
    tuning,
    usage,
    warranties,
    watch_list,
)

log = logging.getLogger("worker")


@dataclass(frozen=True, slots=True)
class Task:
    """`run` every `every_s` seconds; it must bear being repeated at any moment."""

    name: str
    every_s: float
    run: Callable[[Session, datetime], object]


TASKS: tuple[Task, ...] = (
    Task("backup", 60, runs.nightly),
    Task("audit check", 60, audit_watch.nightly),
    Task("overdue calibrations", 60, calibration_due.see_overdue),
    Task("fault stories", 2, fault_story.tell_stories),
    Task("diagnoses", 2, diagnosing.diagnose),
    Task("health", 30, health_follow.follow_time),
    Task("watch list", 300, watch_list.forget),
    Task("thresholds from verdicts", 300, tuning.look),
    Task("remaining life", 600, lives.again),
    Task("reorder proposals", 6 * 3600, usage.propose_everywhere),
    Task("downtime", 1, standstill.follow),
    Task("meters", 60, meter_counts.count),
    Task("orders of plans", 60, plan_orders.make),
    Task("orders of downtime", 5, standstill.tie_orders),
    Task("reasons of downtime", 15, standstill.ask_reasons),
    Task("escalation", 10, escalations.escalate),
    Task("scheduled reports", 30, report_schedules.ask_due),
    Task("old files of jobs", 3600, report_schedules.forget_files),
    Task("old mail", 3600, mail.forget),
    Task("kept readings", 60, kept_spans.tell),
    Task("warranties", 3600, warranties.tell_ending),
)


@dataclass(slots=True)
class Upkeep:
    """Runs each task when it is due; one that the database refuses is logged and tried again next time."""

    database: Database
    tasks: tuple[Task, ...] = TASKS
    _next: dict[str, datetime] = field(default_factory=dict)

    def run(self, now: datetime) -> None:
        """Every task that is due; raises OperationalError when the database is away."""
        for task in self.tasks:
            if now < self._next.get(task.name, now):
                continue
            self._next[task.name] = now + timedelta(seconds=task.every_s)
            try:
                with self.database.transaction() as session:
                    task.run(session, now)
            except OperationalError:
                raise
            except DBAPIError as error:
                log.exception("%s failed, tried again in %g s: %s", task.name, task.every_s, error.orig)
