"""`make seed-plant`, `python -m server.seed`: a believable plant of 500 machines with two years behind it, for tests, demos and benches.

Needs a database URL alone. The same seed gives the same plant. It writes a site of its own and refuses one that is there already.
"""

from __future__ import annotations

import argparse
import random
import secrets
import sys
import time
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from realtime import settings as settings_module
from server.auth.passwords import hash_password
from server.backup import place
from server.database import Database
from server.migrate import upgrade
from server.models.people import User
from server.models.plant import Site
from server.seed import past, standstill
from server.seed.bulk import Bulk
from server.seed.jobs import jobs
from server.seed.plant import Plant, build
from server.seed.stores import write_stores
from server.store import snapshot_version
from server.timestamps import utc_now

ANALYSED = (
    "assets",
    "tags",
    "work_orders",
    "stock_movements",
    "downtimes",
    "operating_periods",
    "audit_log",
    "order_labour",
    "interventions",
)


@dataclass(frozen=True, slots=True)
class Size:
    """How much of a plant."""

    assets: int = 500
    orders: int = 20_000
    seed: int = 1


def seed_plant(session: Session, code: str, size: Size, now: datetime) -> Plant:
    """Write it all in the caller's transaction; raises SystemExit when the site is there already."""
    if session.scalar(select(Site.id).where(Site.code == code)) is not None:
        raise SystemExit(f"site {code} is there already; give another one with --site CODE")
    bulk = Bulk(session)
    plant = build(session, bulk, code, now, random.Random(size.seed), size.assets)  # noqa: S311 - a plant, not a secret
    work = jobs(plant, size.orders)
    past.write_orders(bulk, plant, work)
    past.write_calibrations(session, bulk, plant, work)
    past.write_interventions(session, bulk, plant, work)
    standstill.write_standstill(bulk, plant, work)
    past.write_alerts(session, bulk, plant, work)
    past.write_requests(session, bulk, plant, work)
    write_stores(bulk, plant, work)
    past.settle(session, plant, work)
    bulk.audit(
        "site", plant.site.id, [(plant.site.id, now, {"code": code, "assets": size.assets, "orders": size.orders, "seed": size.seed})]
    )
    snapshot_version.bump(session, now, "seed")
    return plant


def add_admin(session: Session, plant: Plant, password: str) -> str:
    """Who gives the site's people their passwords, since other sites' admins do not see them; returns the employee number."""
    number = f"{plant.site.code}-admin"
    user = User(employee_number=number, name="Administrator", role="admin", site_id=plant.site.id, password_hash=hash_password(password))
    user.must_change_password = True
    session.add(user)
    return number


def _written(url: str, site: str, size: Size, password: str) -> Plant:
    upgrade(url)
    database = Database(url, pool_size=1)
    with database.transaction() as session:
        plant = seed_plant(session, site, size, utc_now())
        add_admin(session, plant, password)
    with database.transaction() as session:
        for table in ANALYSED:
            session.execute(text(f"ANALYZE {table}"))
    database.close()
    return plant


def main(arguments: list[str] | None = None) -> int:
    """0 when the plant is written."""
    parser = argparse.ArgumentParser(prog="python -m server.seed", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--site", default="PLANT", help="code of the new site")
    parser.add_argument("--assets", type=int, default=Size().assets)
    parser.add_argument("--orders", type=int, default=Size().orders)
    parser.add_argument("--seed", type=int, default=Size().seed, help="the same number, the same plant")
    wanted = parser.parse_args(arguments)
    began, size = time.monotonic(), Size(wanted.assets, wanted.orders, wanted.seed)
    password = secrets.token_urlsafe(15)
    with place.reachable_database(settings_module.load(resolve=False)) as url:
        plant = _written(url, wanted.site, size, password)
    took = time.monotonic() - began
    sys.stdout.write(
        f"site {wanted.site}: {len(plant.machines)} assets, {wanted.orders} orders in {took:.0f} s\n"
        f"sign in as {wanted.site}-admin with {password} (once) and give its people passwords\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
