"""`python -m server.setup`: schema, first admin, demo plant, plant snapshot; a second run finds everything done.

`--remove-demo` takes the demo plant out again. Run it before the other programs start.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import secrets
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from realtime import settings as settings_module
from realtime.bus import Bus, connect
from realtime.errors import BusUnavailable, SettingsError
from realtime.settings import Settings
from realtime.snapshot import Snapshot
from realtime.supervise import configure_logging
from server import database_role
from server.audit import Change, record
from server.auth.passwords import hash_password
from server.auth.principal import FIRST_ADMIN
from server.backup import place, runs
from server.backup.dump import BackupFailed
from server.database import Database
from server.demo import seed as demo
from server.demo.past import HistoryFailed, write_history
from server.demo.removal import remove_demo
from server.demo.training import ask_training
from server.migrate import awaits_upgrade, upgrade
from server.models.ml import Baseline
from server.models.people import User
from server.models.plant import Asset, Site
from server.store import snapshot as plant_snapshot
from server.store.actor import SYSTEM
from server.timestamps import to_ms

log = logging.getLogger("setup")

ADMIN = FIRST_ADMIN
HOME_SITE = "MAIN"


def write_private(path: Path, body: dict[str, Any]) -> None:
    """A 0600 JSON file, replaced atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(body, file)
    draft.replace(path)


def home_site(session: Session) -> Site:
    """The site of people who belong to no demo; made when it is first needed."""
    site = session.scalar(select(Site).where(Site.demo.is_(False)).order_by(Site.id).limit(1))
    if site is None:
        site = Site(code=HOME_SITE, name="Main plant")
        session.add(site)
        session.flush()
    return site


def first_admin(session: Session, settings: Settings, now: datetime) -> str | None:
    """Make the first admin where nobody is one; returns the password when it was made up here."""
    if session.scalar(select(User.id).where(User.role == "admin").limit(1)) is not None:
        return None
    site = demo.demo_site(session) or home_site(session)
    password = settings.admin_password or secrets.token_urlsafe(15)
    made_up = settings.admin_password is None
    user = User(
        employee_number=ADMIN,
        name="Administrator",
        role="admin",
        site_id=site.id,
        password_hash=hash_password(password),
        must_change_password=made_up,
    )
    session.add(user)
    session.flush()
    record(session, Change("user.create", "user", user.id, site.id, new={"employee_number": ADMIN, "role": "admin"}), SYSTEM, now)
    log.info("first admin made: employee number %s", ADMIN)
    return password if made_up else None


def simulator_ports(settings: Settings) -> tuple[int, int]:
    """S7 and OPC UA port of the simulated devices; raises SettingsError where run.py has not chosen them."""
    path = settings.run_dir / "simulator.json"
    try:
        found = json.loads(path.read_text("utf-8"))
        return int(found["s7_port"]), int(found["opcua_port"])
    except (OSError, ValueError, KeyError) as error:
        raise SettingsError("DEMO", f"{path} does not hold s7_port and opcua_port; run.py writes it") from error


def set_up_demo(database: Database, settings: Settings, now: datetime) -> None:
    """Seed what is missing of the demo plant: tables, logins, history, baselines, training. Raises HistoryFailed, SettingsError."""
    ports = simulator_ports(settings)
    logins_file = settings.run_dir / "demo-logins.json"
    with database.transaction() as session:
        site = demo.demo_site(session)
        if site is None:
            site = demo.seed(session, settings, ports, now)
            plant_snapshot.bump(session, now)
            logins_file.unlink(missing_ok=True)
            log.info("demo plant seeded")
        elif demo.set_ports(session, ports):
            plant_snapshot.bump(session, now)
        if not logins_file.exists():
            write_private(logins_file, demo.add_people(session, site))
        waiting = session.scalar(select(Asset.id).where(Asset.site_id == site.id, Asset.id.not_in(select(Baseline.asset_id))).limit(1))
        snapshot = plant_snapshot.build(session, now)
    if waiting is not None:
        add_past(database, settings, snapshot, now)
    if settings.demo_training:
        with database.transaction() as session:
            ask_training(session, now)


def add_past(database: Database, settings: Settings, snapshot: Snapshot, now: datetime) -> None:
    """History first, baselines after: a set-up that was killed between the two starts the history again."""
    end = now.replace(microsecond=0)
    write_history(settings, snapshot, to_ms(end), dict(os.environ))
    with database.transaction() as session:
        site = demo.demo_site(session)
        if site is not None:
            demo.add_baselines(session, site, end)
            plant_snapshot.bump(session, now)


def publish(database: Database, settings: Settings, now: datetime) -> None:
    """Put the plant snapshot on the bus, so that workers find it in whatever order they start."""
    with database.transaction() as session:
        snapshot = plant_snapshot.build(session, now)
    client = connect(str(settings.redis_url))
    try:
        Bus(client, settings.bus_prefix, settings.bus_max_mb).publish_config(snapshot)
    finally:
        client.close()
    log.info(
        "plant snapshot %d: %d assets, %d tags, %d sources",
        snapshot.version,
        len(snapshot.assets),
        len(snapshot.tags),
        len(snapshot.sources),
    )


def set_up(settings: Settings) -> None:
    """Everything, in order; each part finds out for itself whether it is done."""
    settings_module.require(settings, "database_url", "redis_url")
    url = str(settings.database_url)
    if awaits_upgrade(url):
        log.info("an older schema: a backup first")
        runs.make(url, settings, "upgrade", datetime.now(UTC))
    upgrade(url)
    database_role.set_up(url)
    now = datetime.now(UTC)
    database = Database(url, pool_size=1)
    try:
        if settings.demo:
            set_up_demo(database, settings, now)
        with database.transaction() as session:
            password = first_admin(session, settings, now)
        if password:
            write_private(settings.run_dir / "first-login.json", {ADMIN: {"name": "Administrator", "role": "admin", "password": password}})
        publish(database, settings, datetime.now(UTC))
    finally:
        database.close()


def take_demo_out(settings: Settings) -> None:
    """Remove the demo plant with all that hangs on it, and its login file; `settings` are unresolved, the instance may be stopped."""
    with place.reachable_database(settings) as url:
        database = Database(url, pool_size=1)
        try:
            _demo_out(database, settings_module.resolve_endpoints(settings))
        finally:
            database.close()


def _demo_out(database: Database, settings: Settings) -> None:
    with database.transaction() as session:
        site = demo.demo_site(session)
        if site is None:
            log.info("there is no demo plant")
            return
        home = home_site(session)
        removed = remove_demo(session, site, home, datetime.now(UTC))
    (settings.run_dir / "demo-logins.json").unlink(missing_ok=True)
    log.info("demo plant removed: %d rows; `make run DEMO=0` starts without one", removed)
    if settings.redis_url:
        publish(database, settings, datetime.now(UTC))


def main() -> int:
    """Entry point of `python -m server.setup`."""
    parser = argparse.ArgumentParser(prog="python -m server.setup", description="set the database up")
    parser.add_argument("--remove-demo", action="store_true", help="take the demo plant out of the database")
    arguments = parser.parse_args()
    configure_logging()
    try:
        settings = settings_module.load(resolve=not arguments.remove_demo)
        if arguments.remove_demo:
            take_demo_out(settings)
        else:
            set_up(settings)
    except (SettingsError, HistoryFailed, BackupFailed, BusUnavailable, SQLAlchemyError) as error:
        log.error("set-up stopped: %s", error)  # noqa: TRY400 - one line; the traceback would add nothing
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
