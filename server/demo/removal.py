"""Takes the demo plant out: every row that hangs on its site, and the history and models of its tags and assets.

What hangs on it is found by following the foreign keys, so a table that comes later is not forgotten. The audit trail stays: it is
append-only. People who are not the demo's own move to another site.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Table, delete, select, text, update
from sqlalchemy.orm import Session

from server.audit import Change, record
from server.demo import plant
from server.demo.seed import DEMO, PEOPLE
from server.models.mail import MailOutbox
from server.models.metadata import metadata
from server.models.outbox import Outbox
from server.models.people import User
from server.models.plant import AssetClass, DiscoveredTag, Site, Source, Tag
from server.store import snapshot_version

Owned = dict[Table, set[Any]]

# History and models name tags and assets by number, without foreign keys: they belong to other folders.
BY_TAG = (
    "raw_readings",
    "late_readings",
    "reading_chunks",
    "frames",
    "text_readings",
    "rollup_1m",
    "rollup_1h",
    "rollup_1d",
    "reading_gaps",
    "history_keeps",
)
BY_ASSET = ("ml_model_artefacts",)


def remove_demo(session: Session, site: Site, home: Site, now: datetime) -> int:
    """Delete it all; returns the number of rows. The caller commits."""
    session.execute(text("SET LOCAL statement_timeout = 0"))
    _move_people(session, site, home)
    owned = _owned_by(session, site.id)
    tags, assets = owned.get(_table("tags"), set()), owned.get(_table("assets"), set())
    sources = list(session.scalars(select(Source.name).where(Source.site_id == site.id)))
    removed = _delete_history(session, tags, assets)
    removed += _rows(session.execute(delete(DiscoveredTag).where(DiscoveredTag.source.in_(sources))))
    removed += _rows(session.execute(delete(Outbox).where(Outbox.site_id == site.id)))
    removed += _delete_mail(session, site)
    removed += _delete_owned(session, owned)
    removed += _delete_classes(session)
    record(session, Change("demo.remove", "site", site.id, home.id, old={"code": plant.SITE}), DEMO, now)
    snapshot_version.bump(session, now, DEMO.name)
    return removed


def _table(name: str) -> Table:
    return metadata.tables[name]


def _rows(result: Any) -> int:
    return int(result.rowcount)


def _move_people(session: Session, site: Site, home: Site) -> None:
    own = [number for number, *_ in PEOPLE]
    moved = update(User).where(User.site_id == site.id, User.employee_number.not_in(own))
    session.execute(moved.values(site_id=home.id, team_id=None, area_id=None))


def _owned_by(session: Session, site_id: int) -> Owned:
    """Primary keys by table of everything from which a foreign key leads to the site, over any number of steps."""
    owned: Owned = {_table("sites"): {site_id}}
    grown = True
    while grown:
        grown = False
        for table in metadata.tables.values():
            found = {key for column, parent in _links(table) if parent in owned for key in _children(session, table, column, owned[parent])}
            if found - owned.get(table, set()):
                owned.setdefault(table, set()).update(found)
                grown = True
    return owned


def _links(table: Table) -> Iterable[tuple[Column[Any], Table]]:
    return [(key.parent, key.column.table) for key in table.foreign_keys]


def _children(session: Session, table: Table, column: Column[Any], parents: set[Any]) -> list[Any]:
    (primary,) = table.primary_key.columns
    return list(session.scalars(select(primary).where(column.in_(parents))))


def _delete_mail(session: Session, site: Site) -> int:
    """Mail that no notification ties to the site, such as a forgotten password's: known by the addresses of its people."""
    addresses = select(User.email).where(User.site_id == site.id, User.email.is_not(None))
    return _rows(session.execute(delete(MailOutbox).where(MailOutbox.notification_id.is_(None), MailOutbox.recipient.in_(addresses))))


def _delete_owned(session: Session, owned: Owned) -> int:
    alerts, orders = _table("alert_records"), _table("work_orders")
    if orders in owned:  # the two point at each other
        session.execute(update(alerts).where(alerts.c.work_order_id.in_(owned[orders])).values(work_order_id=None))
    removed = 0
    for table in reversed(metadata.sorted_tables):
        if table in owned:
            (primary,) = table.primary_key.columns
            removed += _rows(session.execute(delete(table).where(primary.in_(owned[table]))))
    return removed


def _delete_history(session: Session, tags: set[Any], assets: set[Any]) -> int:
    removed = 0
    for names, column, ids in ((BY_TAG, "tag", tags), (BY_ASSET, "asset", assets)):
        for name in names:
            statement = text(f"DELETE FROM {name} WHERE {column} = ANY(:ids)")  # noqa: S608 - names of our own, above
            removed += _rows(session.execute(statement, {"ids": list(ids)}))
    session.execute(text("DELETE FROM history_imports WHERE origin = 'demo'"))
    if not session.scalar(select(Tag.id).where(Tag.id.not_in(tags)).limit(1)):
        removed += _rows(session.execute(text("DELETE FROM ml_detector_state")))  # it held states of demo tags only
    return removed


def _delete_classes(session: Session) -> int:
    """Classes are shared by all sites: only those that nothing uses any more go."""
    used = {
        key
        for table in metadata.tables.values()
        for column, parent in _links(table)
        if parent.name == "asset_classes"
        for key in session.scalars(select(column).where(column.is_not(None)))
    }
    unused = delete(AssetClass).where(AssetClass.name.in_(plant.CLASSES), AssetClass.id.not_in(used))
    return _rows(session.execute(unused))
