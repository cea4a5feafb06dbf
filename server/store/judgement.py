"""How far an alert may go: the evidence behind it, gathered from the tables and judged by server/rules/policy.py."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from realtime.events import AlertType
from server.models.alerts import AlertFinding, AlertRecord
from server.models.plant import Asset, Tag, TagLimit
from server.models.work import Policy
from server.rules import policy as rules
from server.rules.policy import Evidence, PolicyRow, Route
from server.rules.wording import agreement
from server.store import judged

_BY_MODEL = {AlertType.DRIFT, AlertType.ANOMALY}
_PLC = {AlertType.MACHINE_FAULT, AlertType.SOURCE_LOST}


def origin_of(type_: AlertType, detector: str) -> str:
    """Label of S2-60: rule, cusum, ml, plc or system."""
    if "cusum" in detector.lower():
        return "cusum"
    if detector == "system":
        return "system"
    return "plc" if type_ in _PLC else "ml" if type_ in _BY_MODEL else "rule"


def agreeing(session: Session, alert: AlertRecord) -> list[AlertFinding]:
    """Active findings that speak of the same trouble: the alert's own and, for what models find, others on the same tag."""
    own = list(session.scalars(select(AlertFinding).where(AlertFinding.alert_id == alert.id, AlertFinding.active)))
    if alert.type not in _BY_MODEL or alert.asset_id is None:
        return own
    query = select(AlertFinding).where(AlertFinding.asset_id == alert.asset_id, AlertFinding.active, AlertFinding.alert_id != alert.id)
    others = session.scalars(query.where(AlertFinding.type.in_([str(type_) for type_ in _BY_MODEL])))
    tags = {str(share["tag"]) for finding in own for share in finding.because} | ({alert.tag} if alert.tag else set())
    return own + [other for other in others if not other.provisional and tags & {str(share["tag"]) for share in other.because}]


def on_same_tag(session: Session, alert: AlertRecord) -> list[AlertFinding]:
    """Active findings of any kind that speak of the alert's tag; the alert's own where it has none."""
    if alert.tag is None:
        return agreeing(session, alert)
    query = select(AlertFinding).join(AlertRecord, AlertRecord.id == AlertFinding.alert_id)
    return list(session.scalars(query.where(AlertRecord.tag == alert.tag, AlertFinding.active)))


def evidence_of(session: Session, alert: AlertRecord) -> Evidence:
    """What is known of the alert's condition now."""
    findings = agreeing(session, alert)
    confirmed, total = _verdicts(session, alert)
    return Evidence(
        type=AlertType(alert.type),
        detectors=frozenset(finding.detector for finding in findings),
        provisional=bool(findings) and all(finding.provisional for finding in findings),
        limit_confirmed=_limit_confirmed(session, alert),
        strength=max((one.score / one.limit for one in findings if one.alert_id == alert.id and one.limit), default=0.0),
        promoted=bool(alert.data.get("promoted_by")),
        confirmed_verdicts=confirmed,
        verdicts=total,
    )


def route_of(session: Session, alert: AlertRecord) -> Route:
    """How far it may go by itself."""
    return rules.route(evidence_of(session, alert))


def reason_for(session: Session, alert: AlertRecord) -> str:
    """Who says so, for the second line of an alert; of a lost source what the collector met."""
    if alert.type == AlertType.SOURCE_LOST and alert.data.get("detail"):
        return str(alert.data["detail"]).split("; ", maxsplit=1)[0]
    findings = on_same_tag(session, alert)
    types = {AlertType(finding.type) for finding in findings}
    return agreement({finding.detector for finding in findings}, has_rule=bool(types - _BY_MODEL), has_model=bool(types & _BY_MODEL))


def _limit_confirmed(session: Session, alert: AlertRecord) -> bool:
    if alert.type != AlertType.RULE_VIOLATION or alert.tag is None:
        return True
    query = select(TagLimit).join(Tag, Tag.id == TagLimit.tag_id).where(Tag.name == alert.tag)
    limits = session.scalars(query).all()
    crossed = [limit for limit in limits if limit.value == alert.limit] or limits
    return bool(crossed) and all(limit.confirmed for limit in crossed)


def _verdicts(session: Session, alert: AlertRecord) -> tuple[int, int]:
    """(confirmed, all) verdicts on closed orders, and on dismissed entries of the watch list, of this alert type and asset class."""
    asset = session.get(Asset, alert.asset_id) if alert.asset_id is not None else None
    if asset is None:
        return 0, 0
    return judged.of_class(session, asset.class_id).get(alert.type, (0, 0))


def policy_for(session: Session, alert: AlertRecord, asset: Asset, type_: AlertType | None = None) -> Policy | None:
    """The policy row that fits best, for the alert's type or another; None where the site has none for this."""
    wanted = str(type_ or alert.type)
    rows = {row.id: row for row in session.scalars(select(Policy).where(Policy.alert_type == wanted, Policy.deleted_at.is_(None)))}
    seen = [PolicyRow(row.id, row.alert_type, row.site_id, row.class_id, row.opens_order) for row in rows.values()]
    chosen = rules.choose(seen, alert_type=wanted, site_id=asset.site_id, class_id=asset.class_id)
    return rows[chosen.id] if chosen else None
