"""Spare parts of the demo plant: one store with stock, parts lists of its machines and one proposed purchase."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.models.plant import Asset, Site
from server.rules.stock import Reason
from server.store import ledger, parts, usage
from server.store.actor import Actor
from server.store.ledger import Move


@dataclass(frozen=True, slots=True)
class PartRow:
    """A part, how many lie in the store, and the machines it is built into (asset, position, pieces)."""

    number: str
    name: str
    supplier: str
    cost: str
    stock: int
    minimum: int
    maximum: int
    lead_days: int
    built_into: tuple[tuple[str, str, int], ...] = ()
    unit: str = "pcs"
    critical: bool = False


PARTS = (
    PartRow("P-0001", "Deep groove ball bearing 6205-2Z", "SKF", "11.80", 14, 4, 16, 5, (("M1", "drive end", 1), ("M2", "drive end", 1))),
    PartRow(
        "P-0002", "Deep groove ball bearing 6204-2Z", "SKF", "9.60", 9, 4, 16, 5, (("M1", "non-drive end", 1), ("M2", "non-drive end", 1))
    ),
    PartRow(
        "P-0003", "Mechanical seal 28 mm", "EagleBurgmann", "148.00", 1, 2, 4, 21, (("M1", "shaft", 1), ("M2", "shaft", 1)), critical=True
    ),
    PartRow(
        "P-0004", "Coupling insert 38 mm", "KTR", "23.50", 6, 2, 8, 7, (("M1", "coupling", 1), ("M2", "coupling", 1), ("M3", "coupling", 1))
    ),
    PartRow("P-0005", "Compressor oil 46", "Shell", "6.40", 60, 40, 120, 4, (("M3", "sump", 18),), unit="l"),
    PartRow("P-0006", "Oil separator element", "Atlas Copco", "212.00", 2, 1, 3, 14, (("M3", "separator", 1),)),
    PartRow("P-0007", "Air intake filter", "Atlas Copco", "48.30", 5, 2, 6, 14, (("M3", "intake", 1),)),
    PartRow("P-0008", "Hydraulic filter 10 µm", "Hydac", "64.90", 3, 2, 6, 10, (("PL-1", "return line", 2),)),
    PartRow("P-0009", "Hydraulic oil HLP 46", "Shell", "4.10", 180, 100, 400, 4, (("PL-1", "tank", 320),), unit="l"),
    PartRow("P-0010", "Pressure sensor 0..315 bar", "Hydac", "189.00", 1, 1, 2, 28, (("PL-1", "main line", 1),), critical=True),
    PartRow("P-0011", "Pressure transmitter 0..10 bar", "Endress+Hauser", "640.00", 1, 1, 1, 35, (("PT-101", "line", 1),), critical=True),
    PartRow("P-0012", "Recoater blade", "EOS", "96.00", 8, 4, 12, 14, (("DMLS-1", "recoater", 1),)),
)


def add_stores(session: Session, site: Site, now: datetime) -> None:
    """The store, its parts and what is short; the caller commits."""
    keeper = Actor(None, "demo", "admin", site.id)
    store = parts.create_store(session, {"code": "MAIN", "name": "Main store", "location": "Hall 2, gate 3"}, keeper, now)
    assets = {asset.code: asset.id for asset in session.scalars(select(Asset).where(Asset.site_id == site.id))}
    for row in PARTS:
        values = {
            "number": row.number,
            "name": row.name,
            "supplier": row.supplier,
            "unit": row.unit,
            "unit_cost": Decimal(row.cost),
            "minimum": Decimal(row.minimum),
            "maximum": Decimal(row.maximum),
            "lead_days": row.lead_days,
            "critical": row.critical,
        }
        part = parts.create_part(session, values, keeper, now)
        receipt = Move(part_id=part.id, store_id=store.id, reason=Reason.RECEIPT, quantity=Decimal(row.stock), note="first stock")
        ledger.move(session, receipt, keeper, now)
        for code, position, pieces in row.built_into:
            if code in assets:
                line = {"part_id": part.id, "asset": code, "quantity": Decimal(pieces), "position": position}
                parts.create_bom_line(session, line, keeper, now)
    usage.propose(session, site, keeper, now)
