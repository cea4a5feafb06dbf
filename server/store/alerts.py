"""What people do with alerts; what the plant does with them is in server/store/conditions.py. Nothing here commits."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from sqlalchemy import case, select
from sqlalchemy.orm import Session

from realtime.events import FactName
from server import audit, bodies
from server.errors import Conflict, Forbidden, Invalid, NotFound
from server.models.alerts import AlertRecord
from server.models.people import User
from server.models.plant import Asset
from server.models.work import WorkOrder
from server.rules import alert as rules
from server.rules.alert import AlertAction
from server.rules.roles import Role
from server.rules.work_order import UNVERIFIED, OrderVerdict
from server.store import assets
from server.store.actor import Person, need, sees_site
from server.store.outbox import Draft, emit
from server.store.page import Page, ordering, page_of

Which = Literal["announced", "watch", "suppressed"]
JUDGED = ("verdict", "judged_by")  # in `data` of a dismissed entry of the watch list
_SORTS = {
    "id": AlertRecord.id,
    "raised_at": AlertRecord.raised_at,
    "severity": case({"advisory": 0, "warning": 1, "critical": 2}, value=AlertRecord.severity),
    "type": AlertRecord.type,
    "occurrences": AlertRecord.occurrences,
}


def list_alerts(
    session: Session,
    *,
    site: int | None,
    active: bool | None = None,
    asset: int | str | None = None,
    which: Which = "announced",
    sort: str = "",
    limit: int = 50,
    offset: int = 0,
) -> Page[AlertRecord]:
    """Alerts of a site, newest first where `sort` says nothing else.

    active: True = not resolved, False = resolved, None = both; which: what people are told of, the watch list, or what is held back.
    """
    query = select(AlertRecord)
    if site is not None:
        query = query.where((AlertRecord.site_id == site) | AlertRecord.site_id.is_(None))
    if active is not None:
        query = query.where(AlertRecord.resolved_at.is_(None) if active else AlertRecord.resolved_at.is_not(None))
    watched, held = AlertRecord.watch, AlertRecord.suppressed.is_not(None)
    query = query.where(*{"announced": (~watched, ~held), "watch": (watched,), "suppressed": (held,)}[which])
    if asset is not None:
        column = Asset.id if isinstance(asset, int) else Asset.code
        query = query.join(Asset, Asset.id == AlertRecord.asset_id).where(column == asset)
    return page_of(session, query, ordering(sort or "-raised_at", _SORTS, "-id"), limit, offset)


def get_alert(session: Session, alert_id: int, user: Person) -> AlertRecord:
    """A visible alert; raises NotFound."""
    alert = session.get(AlertRecord, alert_id)
    if alert is None or not sees_site(user, alert.site_id):
        raise NotFound("alert", alert_id)
    return alert


def _locked(session: Session, alert_id: int, user: Person) -> AlertRecord:
    query = select(AlertRecord).where(AlertRecord.id == alert_id).with_for_update().execution_options(populate_existing=True)
    alert = session.scalars(query).one_or_none()
    if alert is None or not sees_site(user, alert.site_id):
        raise NotFound("alert", alert_id)
    return alert


def _need_own_area(session: Session, alert: AlertRecord, user: Person) -> None:
    """Operators acknowledge and shelve in their own area only, where they have one."""
    if user.role != Role.OPERATOR or user.id is None or alert.asset_id is None:
        return
    person = session.get(User, user.id)
    asset = session.get(Asset, alert.asset_id)
    if person and person.area_id is not None and asset and asset.area_id != person.area_id:
        raise Forbidden("other_area", f"{user.name} acts on alerts of the own area only")


def state_of(alert: AlertRecord) -> rules.AlertState:
    """The state its columns mean."""
    return rules.state_of(condition=alert.condition, acknowledged=alert.acknowledged_at is not None, resolved=alert.resolved_at is not None)


def tell(session: Session, alert: AlertRecord, name: FactName, by: str, now: datetime) -> None:
    """Count the change and put the fact into the outbox."""
    alert.rev += 1
    emit(session, Draft(name, alert.id, alert.rev, by, alert.site_id, bodies.alert_body(session, alert)), now)


def note(session: Session, alert: AlertRecord, action: str, by: Person, now: datetime, *, old: dict[str, Any], new: dict[str, Any]) -> None:
    """The audit row of a change."""
    audit.record(session, audit.Change(action, "alert", alert.id, alert.site_id, old, new), by, now)


def acknowledge(session: Session, alert_id: int, user: Person, now: datetime) -> AlertRecord:
    """Somebody has seen it; raises Conflict when it was acknowledged or resolved already."""
    need(user, "alerts.acknowledge")
    alert = _locked(session, alert_id, user)
    _need_own_area(session, alert, user)
    before = state_of(alert)
    after = rules.next_state(before, AlertAction.ACKNOWLEDGE)
    alert.acknowledged_at, alert.acknowledged_by = now, user.name
    note(session, alert, "acknowledge", user, now, old={"state": before}, new={"state": after})
    tell(session, alert, FactName.ALERT_ACKNOWLEDGED, user.name, now)
    return alert


def resolve(session: Session, alert_id: int, user: Person, now: datetime, notes: str | None, force: bool = False) -> AlertRecord:
    """End it with notes once the condition has returned and no order works on it; `force` is a manager's."""
    need(user, "alerts.resolve")
    alert = _locked(session, alert_id, user)
    if not notes or not notes.strip():
        raise Invalid("notes", "required", "say what was found and done")
    if force and user.role not in {Role.ADMIN, Role.MANAGER}:
        raise Forbidden("force", "only a manager may resolve an alert whose condition is active")
    order = session.get(WorkOrder, alert.work_order_id) if alert.work_order_id else None
    if order is not None and order.state in UNVERIFIED and not force:
        raise Conflict("order_open", f"{order.number} works on it; it is resolved when the order is verified", state_of(alert))
    before = state_of(alert)
    rules.next_state(before, AlertAction.FORCE if force else AlertAction.RESOLVE)
    close(session, alert, user, now, notes.strip())
    assets.follow(session, alert.asset_id, user.name, now)
    return alert


def close(session: Session, alert: AlertRecord, by: Person, now: datetime, notes: str) -> None:
    """Resolve without asking: for `resolve` and for an order that was verified."""
    before = state_of(alert)
    if before is rules.AlertState.RESOLVED:
        return
    alert.resolved_at, alert.resolved_by, alert.notes = now, by.name, notes
    alert.shelved_until = None
    note(session, alert, "resolve", by, now, old={"state": before}, new={"state": rules.AlertState.RESOLVED, "notes": notes})
    tell(session, alert, FactName.ALERT_RESOLVED, by.name, now)


def shelve(session: Session, alert_id: int, user: Person, now: datetime, until: datetime, reason: str | None) -> AlertRecord:
    """Hide it until a time, with a reason and an author; the condition goes on being watched."""
    need(user, "alerts.shelve")
    alert = _locked(session, alert_id, user)
    _need_own_area(session, alert, user)
    if not reason or not reason.strip():
        raise Invalid("reason", "required", "say why it is shelved")
    problem = rules.shelve_end_problem(until, now)
    if problem:
        raise Invalid("until", "out_of_range", problem)
    if alert.resolved_at is not None:
        raise Conflict("wrong_state", "a resolved alert cannot be shelved", state_of(alert))
    old = {"shelved_until": alert.shelved_until}
    alert.shelved_until, alert.shelved_by, alert.shelved_reason = until, user.name, reason.strip()
    note(session, alert, "shelve", user, now, old=old, new={"shelved_until": until, "reason": reason.strip()})
    tell(session, alert, FactName.ALERT_SHELVED, user.name, now)
    return alert


def unshelve(session: Session, alert_id: int, user: Person, now: datetime) -> AlertRecord:
    """Show it again."""
    need(user, "alerts.shelve")
    alert = _locked(session, alert_id, user)
    if alert.shelved_until is None or alert.resolved_at is not None:
        raise Conflict("not_shelved", "the alert is not shelved", state_of(alert))
    _unhide(session, alert, user, now)
    return alert


def expire_shelving(session: Session, by: Person, now: datetime) -> int:
    """Show those whose time is over; the number shown."""
    over = select(AlertRecord).where(AlertRecord.shelved_until <= now, AlertRecord.resolved_at.is_(None))
    alerts = session.scalars(over.with_for_update(skip_locked=True)).all()
    for alert in alerts:
        _unhide(session, alert, by, now)
    return len(alerts)


def _unhide(session: Session, alert: AlertRecord, by: Person, now: datetime) -> None:
    old = {"shelved_until": alert.shelved_until, "shelved_by": alert.shelved_by, "reason": alert.shelved_reason}
    alert.shelved_until = alert.shelved_by = alert.shelved_reason = None
    note(session, alert, "unshelve", by, now, old=old, new={"shelved_until": None})
    # there is no fact of its own for the end of shelving: what is shown again is raised, what has returned is returned
    tell(session, alert, FactName.ALERT_RAISED if alert.condition == "active" else FactName.ALERT_RETURNED, by.name, now)


def tell_suppression(session: Session, alert: AlertRecord, by: Person, now: datetime, before: str | None) -> None:
    """Maintenance or a flood holds it back from now on, or no longer: audited, and a fact for those who list what is held back."""
    action = "suppress" if alert.suppressed else "unsuppress"
    note(session, alert, action, by, now, old={"suppressed": before}, new={"suppressed": alert.suppressed})
    tell(session, alert, FactName.ALERT_SUPPRESSED, by.name, now)


def promote(session: Session, alert_id: int, user: Person, now: datetime) -> AlertRecord:
    """A person takes a finding off the watch list; from now on it is an alert like any other, and who dismissed it was wrong."""
    need(user, "alerts.resolve")
    alert = _locked(session, alert_id, user)
    _need_watched(alert)
    old = {"watch": True, "verdict": alert.data.get("verdict"), "notes": alert.notes}
    alert.watch, alert.notes = False, None
    alert.data = {name: value for name, value in alert.data.items() if name not in JUDGED} | {"promoted_by": user.name}
    note(session, alert, "promote", user, now, old=old, new={"watch": False})
    tell(session, alert, FactName.ALERT_RAISED, user.name, now)
    assets.follow(session, alert.asset_id, user.name, now)
    return alert


def dismiss(session: Session, alert_id: int, user: Person, now: datetime, notes: str | None) -> AlertRecord:
    """A person looked at an entry of the watch list and found nothing: a false verdict. It ends when its condition has returned."""
    need(user, "alerts.resolve")
    alert = _locked(session, alert_id, user)
    if not notes or not notes.strip():
        raise Invalid("notes", "required", "say what was looked at")
    _need_watched(alert)
    if alert.data.get("verdict"):
        raise Conflict("judged", f"{alert.data.get('judged_by')} looked already: nothing found", state_of(alert))
    alert.data = {**alert.data, "verdict": str(OrderVerdict.FALSE), "judged_by": user.name}
    alert.notes = notes.strip()
    note(session, alert, "dismiss", user, now, old={"verdict": None}, new={"verdict": str(OrderVerdict.FALSE), "notes": alert.notes})
    if alert.condition == "returned":
        close(session, alert, user, now, alert.notes)
    else:
        tell(session, alert, FactName.ALERT_CHANGED, user.name, now)
    return alert


def _need_watched(alert: AlertRecord) -> None:
    if alert.resolved_at is not None:
        raise Conflict("not_watched", f"{alert.resolved_by} ended it already", state_of(alert))
    if not alert.watch:
        by = alert.data.get("promoted_by")
        raise Conflict("not_watched", f"{by} made it an alarm already" if by else "it is no entry of the watch list", state_of(alert))
