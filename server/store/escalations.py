"""Reminders and escalation of alerts that nobody acknowledged: the leader's task, with a log that makes a repeat say nothing.

What stops it: acknowledging, shelving, resolving, maintenance on the asset. The rules are in server/rules/escalation.py.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from realtime.events import Severity
from server.models.alerts import AlertRecord
from server.models.notifications import Escalation, EscalationPolicy
from server.models.people import User
from server.models.plant import Asset, Site
from server.rules.escalation import Step, due_round, shift_works
from server.rules.notices import Topic
from server.rules.roles import Role, may
from server.store.notifications import Message, notify


@dataclass(frozen=True, slots=True)
class _Clock:
    """A site's own time."""

    shifts: Sequence[dict[str, str]]
    local: datetime

    def works(self, shift: str | None) -> bool:
        return shift is None or shift_works(self.shifts, shift, self.local)


def escalate(session: Session, now: datetime) -> int:
    """Say every round that is due and was not said; the number said."""
    policies = _policies(session)
    if not policies:
        return 0
    clocks = {
        site.id: _Clock(site.shifts, now.astimezone(ZoneInfo(site.time_zone)))
        for site in session.scalars(select(Site).where(Site.id.in_(policies)))
    }
    waiting = _waiting(session, list(policies))
    said = _said(session, [alert.id for alert, _area in waiting])
    count = 0
    for alert, area_id in waiting:
        for policy in policies[alert.site_id or 0]:
            round_ = _due(policy, alert, clocks[policy.site_id], now)
            if round_ is not None and said.get((alert.id, policy.id), -1) < round_:
                count += _say(session, policy, _Case(alert, area_id, round_), clocks[policy.site_id], now)
    return count


def _policies(session: Session) -> dict[int, list[EscalationPolicy]]:
    rows = session.scalars(
        select(EscalationPolicy).where(EscalationPolicy.active, EscalationPolicy.deleted_at.is_(None)).order_by(EscalationPolicy.id)
    )
    found: dict[int, list[EscalationPolicy]] = defaultdict(list)
    for row in rows:
        found[row.site_id].append(row)
    return found


def _waiting(session: Session, sites: Sequence[int]) -> Sequence[tuple[AlertRecord, int | None]]:
    """Alerts that nobody has answered and that people see, with their areas."""
    query = select(AlertRecord, Asset.area_id).outerjoin(Asset, Asset.id == AlertRecord.asset_id).where(AlertRecord.site_id.in_(sites))
    unanswered = query.where(AlertRecord.resolved_at.is_(None), AlertRecord.acknowledged_at.is_(None), AlertRecord.shelved_until.is_(None))
    rows = session.execute(unanswered.where(AlertRecord.suppressed.is_(None), AlertRecord.watch.is_(False)).order_by(AlertRecord.id))
    return [(alert, area_id) for alert, area_id in rows]


def _said(session: Session, alert_ids: Sequence[int]) -> dict[tuple[int, int], int]:
    """The newest round said by (alert, policy)."""
    newest = select(Escalation.alert_id, Escalation.policy_id, func.max(Escalation.round)).where(Escalation.alert_id.in_(alert_ids))
    return {
        (alert, policy): round_ for alert, policy, round_ in session.execute(newest.group_by(Escalation.alert_id, Escalation.policy_id))
    }


def _due(policy: EscalationPolicy, alert: AlertRecord, clock: _Clock, now: datetime) -> int | None:
    if policy.severity != alert.severity or not clock.works(policy.shift):
        return None
    repeat = timedelta(minutes=policy.repeat_min) if policy.repeat_min else None
    step = Step(policy.id, Severity(policy.severity), timedelta(minutes=policy.after_min), repeat, policy.rounds, policy.shift)
    return due_round(step, alert.raised_at, now)


@dataclass(frozen=True, slots=True)
class _Case:
    """One round of an alert."""

    alert: AlertRecord
    area_id: int | None
    round: int


def _say(session: Session, policy: EscalationPolicy, case: _Case, clock: _Clock, now: datetime) -> int:
    people = _people(session, policy, clock)
    alert = case.alert
    row = {"alert_id": alert.id, "policy_id": policy.id, "round": case.round, "told": people, "at": now}
    made = session.scalar(
        insert(Escalation)
        .values(**row)
        .on_conflict_do_nothing(index_elements=[Escalation.alert_id, Escalation.policy_id, Escalation.round])
        .returning(Escalation.id)
    )
    if made is None:
        return 0
    minutes = int((now - alert.raised_at).total_seconds() // 60)
    message = Message(
        kind="alert_escalated",
        title=f"Not acknowledged: {alert.message}",
        body=f"{alert.number}, {alert.severity}, for {minutes} min ({policy.name})",
        order_id=alert.work_order_id,
        alert_id=alert.id,
        site_id=alert.site_id,
        topic=Topic.ESCALATION,
        severity=Severity(alert.severity),
        area_id=case.area_id,
        group=f"escalation:{policy.id}:{case.area_id or 'none'}",
    )
    notify(session, people, message, now)
    return 1


def _people(session: Session, policy: EscalationPolicy, clock: _Clock) -> list[int]:
    """Ids of whom the policy names: a team, a role, else all who may acknowledge; only those on duty where it says so."""
    query = select(User).where(User.active, User.site_id == policy.site_id).order_by(User.id)
    if policy.to_team_id is not None:
        query = query.where(User.team_id == policy.to_team_id)
    elif policy.to_role is not None:
        query = query.where(User.role == policy.to_role)
    else:
        query = query.where(User.role.in_([str(role) for role in Role if may(role, "alerts.acknowledge")]))
    return [user.id for user in session.scalars(query) if not policy.on_duty or (user.on_duty and clock.works(user.shift))]
