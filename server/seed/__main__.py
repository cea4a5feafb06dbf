"""`make seed-plant`, `python -m server.seed`: a believable plant of 500 machines with two years behind it, for tests, demos and benches.

Needs a database URL alone. The same seed gives the same plant. It writes a site of its own and refuses one that is there already.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from realtime import settings as settings_module
from server.database import Database
from server.migrate import upgrade
from server.models.plant import Site
from server.seed import past
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
    past.write_standstill(bulk, plant, work)
    past.write_alerts(session, bulk, plant, work)
    past.write_requests(session, bulk, plant, work)
    write_stores(bulk, plant, work)
    past.settle(session, plant, work)
    bulk.audit(
        "site", plant.site.id, [(plant.site.id, now, {"code": code, "assets": size.assets, "orders": size.orders, "seed": size.seed})]
    )
    snapshot_version.bump(session, now, "seed")
    return plant


def main(arguments: list[str] | None = None) -> int:
    """0 when the plant is written."""
    parser = argparse.ArgumentParser(prog="python -m server.seed", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--site", default="PLANT", help="code of the new site")
    parser.add_argument("--assets", type=int, default=Size().assets)
    parser.add_argument("--orders", type=int, default=Size().orders)
    parser.add_argument("--seed", type=int, default=Size().seed, help="the same number, the same plant")
    wanted = parser.parse_args(arguments)
    settings = settings_module.load()
    settings_module.require(settings, "database_url")
    url = str(settings.database_url)
    upgrade(url)
    database, began = Database(url, pool_size=1), time.monotonic()
    with database.transaction() as session:
        plant = seed_plant(session, wanted.site, Size(wanted.assets, wanted.orders, wanted.seed), utc_now())
    with database.transaction() as session:
        for table in ANALYSED:
            session.execute(text(f"ANALYZE {table}"))
    database.close()
    took = time.monotonic() - began
    sys.stdout.write(
        f"site {wanted.site}: {len(plant.machines)} assets, {wanted.orders} orders in {took:.0f} s; an admin gives its people passwords\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
