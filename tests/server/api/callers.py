"""Everybody who may call, for the authorisation matrix: people, devices, keys, a contractor, nobody; and another site's things."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from server.auth import device_tokens
from server.models.alerts import AlertRecord
from server.models.audit import AuditLog
from server.models.base import Base
from server.models.feed import DeviceToken
from server.models.notifications import Notification
from server.models.people import ContractorLink, User
from server.models.plant import Area, Asset, Instrument
from server.models.work import Procedure, Team, WorkOrder
from server.rules.roles import CONTRACT, RIGHTS, Role
from server.services import Services
from tests.server.api.conftest import PASSWORD, Plant

NOW = datetime.now(UTC)
KEY_SCOPES = frozenset({"orders.read", "assets.read"})
PEOPLE = ("viewer", "operator", "technician", "technician_b", "storekeeper", "planner", "manager", "admin")
CALLERS = ("anonymous", *PEOPLE, "ingest", "paired", "api_key", "contractor")


@dataclass(frozen=True)
class Caller:
    """Headers to call with, the rights they stand for, and whether it is a person's own account."""

    headers: Mapping[str, str]
    rights: frozenset[str]
    is_person: bool


def caller(name: str, client: FlaskClient, services: Services, plant: Plant) -> Caller:
    """One of CALLERS."""
    if name == "anonymous":
        return Caller({}, frozenset(), is_person=False)
    if name in PEOPLE:
        role = name.removesuffix("_b")
        number = plant.people[role] if role == name else second(services, plant)
        answer = client.post("/api/auth/login", json={"employee_number": number, "password": PASSWORD})
        return Caller(bearer(answer.json["access_token"]), RIGHTS[Role(role)], is_person=True)
    with services.database.transaction() as session:
        technician = session.query(User).filter_by(employee_number=plant.people["technician"]).one()
        if name == "contractor":
            return Caller(bearer(link(session, plant, an_order(session, plant.site, plant.asset_id))), CONTRACT, is_person=False)
        kind = "api" if name == "api_key" else name
        secret = token(session, plant.site, kind, technician)
    rights = {"ingest": frozenset({"readings.write"}), "paired": frozenset({"ar.read", "ar.write"}), "api": KEY_SCOPES}[kind]
    return Caller(bearer(secret), rights, is_person=kind == "api")


def bearer(token_: str) -> dict[str, str]:
    """Headers."""
    return {"Authorization": f"Bearer {token_}"}


def second(services: Services, plant: Plant) -> str:
    """A second technician."""
    with services.database.transaction() as session:
        first = session.query(User).filter_by(employee_number=plant.people["technician"]).one()
        number = f"techB-{secrets.token_hex(4)}"
        same = {name: getattr(first, name) for name in ("role", "site_id", "password_hash")}
        session.add(User(employee_number=number, name="Technician B", **same))
    return number


def token(session: Session, site: int, kind: str, user: User) -> str:
    """A device's token or a key of the user."""
    secret = device_tokens.new_secret()
    row = DeviceToken(token_hash=device_tokens.digest(secret), kind=kind, name=f"a {kind}", site_id=site, created_at=NOW)
    row.user_id = None if kind == "ingest" else user.id
    row.scopes = sorted(KEY_SCOPES) if kind == "api" else []
    session.add(row)
    return secret


def an_order(session: Session, site: int, asset: int) -> WorkOrder:
    """An open order."""
    row = WorkOrder(
        number=f"WO-{secrets.randbelow(10**9)}", site_id=site, asset_id=asset, title="Look", created_by="x", created_at=NOW, changed_at=NOW
    )
    session.add(row)
    session.flush()
    return row


def link(session: Session, plant: Plant, order: WorkOrder) -> str:
    """A contractor's link to the order."""
    secret = device_tokens.new_secret(device_tokens.CONTRACT_PREFIX)
    planner = session.query(User).filter_by(employee_number=plant.people["planner"]).one()
    session.add(a_link(session, order, secret, planner))
    return secret


def a_link(session: Session, order: WorkOrder, secret: str, by: User) -> ContractorLink:
    """Its row, with the shadow user."""
    number = f"contractor-{secrets.token_hex(6)}"
    shadow = User(employee_number=number, name="J. Dupont", role="technician", site_id=order.site_id, password_hash="!", contractor=True)
    session.add(shadow)
    session.flush()
    return ContractorLink(
        site_id=order.site_id,
        order_id=order.id,
        user_id=shadow.id,
        name="J. Dupont",
        token_hash=device_tokens.digest(secret),
        created_by_id=by.id,
        created_at=NOW,
        expires_at=NOW + timedelta(days=1),
    )


def foreign_things(session: Session, plant: Plant) -> dict[str, str]:
    """Things of the other site by the name that routes give them in their address."""
    site = plant.other_site
    asset = session.query(Asset).filter_by(site_id=site).first()
    assert asset is not None
    mark = secrets.token_hex(3)
    user = User(employee_number=f"far-{mark}", name="Far away", role="technician", site_id=site, password_hash="!")
    team, area = Team(site_id=site, name=f"Far {mark}"), Area(site_id=site, name=f"Far {mark}")
    instrument = Instrument(tag=f"FAR-{mark}", asset_id=asset.id, name="Far", type="pressure")
    procedure = Procedure(site_id=site, code=f"FAR-{mark}", title="Far")
    alert = AlertRecord(
        number=f"ALERT_{mark}", site_id=site, asset_id=asset.id, type="anomaly", severity="warning", message="Far", detector="x",
        origin="rule", raised_at=NOW, last_at=NOW,
    )  # fmt: skip
    trail = AuditLog(at=NOW, actor="Far away", action="x", thing="y", site_id=site)
    session.add_all([user, team, area, instrument, procedure, alert, trail])
    session.flush()
    order = an_order(session, site, asset.id)
    far_link = a_link(session, order, secrets.token_hex(8), user)
    device = DeviceToken(token_hash=mark, kind="paired", name="far", site_id=site, user_id=user.id, created_at=NOW)
    notification = Notification(user_id=user.id, kind="x", title="Far", created_at=NOW)
    session.add_all([far_link, device, notification])
    session.flush()
    by_id: dict[str, Base] = {
        "user_id": user, "team_id": team, "area_id": area, "instrument_id": instrument, "procedure_id": procedure, "alert_id": alert,
        "row_id": trail, "token_id": device, "notification_id": notification, "task": order,
    }  # fmt: skip
    ids = {name: str(row.id) for name, row in by_id.items()}  # type: ignore[attr-defined]
    return {**ids, "link_id": str(far_link.id), "key": order.number, "code": asset.code, "number": order.number}
