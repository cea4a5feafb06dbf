"""Procedures: which steps an order has, pinned when it starts so that instructions never change under a technician."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.models.alerts import AlertRecord
from server.models.plant import Asset, Tag
from server.models.work import Procedure, ProcedureVersion, WorkOrder

Step = dict[str, Any]


def in_use(session: Session, procedure_id: int | None) -> int | None:
    """The procedure, None where it is retired: new orders do not get it, whatever a policy or a plan still says."""
    if procedure_id is None:
        return None
    return session.scalar(select(Procedure.id).where(Procedure.id == procedure_id, Procedure.active))


def of_code(session: Session, alert: AlertRecord, asset: Asset) -> int | None:
    """The procedure that the alert's fault code names, where the site has it and uses it: it knows more than any policy."""
    code = alert.data.get("procedure")
    if not code:
        return None
    return session.scalar(select(Procedure.id).where(Procedure.site_id == asset.site_id, Procedure.code == code, Procedure.active))


def newest(session: Session, procedure_id: int | None) -> ProcedureVersion | None:
    """The version that a new order would get."""
    if procedure_id is None:
        return None
    query = select(ProcedureVersion).where(ProcedureVersion.procedure_id == procedure_id)
    return session.scalars(query.order_by(ProcedureVersion.version.desc()).limit(1)).one_or_none()


def version_of(session: Session, order: WorkOrder) -> ProcedureVersion | None:
    """The pinned version, before the start the newest."""
    if order.procedure_version_id is not None:
        return session.get(ProcedureVersion, order.procedure_version_id)
    return newest(session, order.procedure_id)


def pin(session: Session, order: WorkOrder) -> None:
    """Keep the newest version from now on; a reopened order keeps what it was started with."""
    if order.procedure_version_id is None:
        version = newest(session, order.procedure_id)
        order.procedure_version_id = version.id if version else None


def steps_of(session: Session, order: WorkOrder) -> list[Step]:
    """The order's steps in AR_FEED.md's shape, with `{asset}` and `{tag}` filled in: the asset's code, the alert's or the main tag."""
    version = version_of(session, order)
    if version is None:
        return []
    asset = session.get_one(Asset, order.asset_id)
    alert = session.get(AlertRecord, order.alert_id) if order.alert_id is not None else None
    tag = (alert.tag if alert else None) or asset.main_tag or asset.code
    return _with_tags(session, [_filled(step, {"{asset}": asset.code, "{tag}": tag}) for step in version.steps])


def _with_tags(session: Session, steps: list[Step]) -> list[Step]:
    """What a step measures by a tag has that tag's unit, range and decimals where the procedure says nothing."""
    names = {step["in"]["tag"] for step in steps if "tag" in step.get("in", {})}
    tags = {tag.name: tag for tag in session.scalars(select(Tag).where(Tag.name.in_(names)))} if names else {}
    return [_with_tag(step, tags.get(step.get("in", {}).get("tag"))) for step in steps]


def _with_tag(step: Step, tag: Tag | None) -> Step:
    if tag is None:
        return step
    default = {"unit": tag.unit, "lo": tag.low, "hi": tag.high, "dec": tag.decimals}
    return {**step, "in": {key: value for key, value in default.items() if value is not None} | step["in"]}


def _filled(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(inner, names) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, names) for inner in value]
    if isinstance(value, str):
        for placeholder, name in names.items():
            value = value.replace(placeholder, name)
    return value
