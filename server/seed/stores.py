"""The seeded stores: parts in sizes, parts lists, and a ledger that follows the jobs: issued when work began, bought when short."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from server.models.parts import BomLine, Part, StockMovement, Store
from server.rules.stock import averaged
from server.seed.bulk import ACTOR, Bulk, Row
from server.seed.catalogue import PARTS, SIZES
from server.seed.jobs import Job, chance
from server.seed.plant import Plant

GREASE = "Bearing grease"


Use = tuple[datetime, Job, Decimal]
Uses = dict[tuple[str, str], list[Use]]  # by name and size of the part


def write_stores(bulk: Bulk, plant: Plant, jobs: list[Job]) -> None:
    """Stores, parts, parts lists and two years of movements."""
    (main, line) = bulk.ids(Store, 2)
    names = ((main, "MAIN", "Main store"), (line, "LINE", "Store at the lines"))
    bulk.copy(Store, [{"id": id_, "site_id": plant.site.id, "code": code, "name": name} for id_, code, name in names])
    uses = _uses(plant, jobs)
    parts = _parts(bulk, plant, uses)
    movements = [row for key, part in parts.items() for row in _ledger(plant, part, main, uses.get(key, []))]
    movements.sort(key=lambda row: row["at"])
    bulk.copy(Part, list(parts.values()))
    bulk.audit("part", plant.site.id, [(row["id"], plant.start, {"number": row["number"], "name": row["name"]}) for row in parts.values()])
    bulk.copy(StockMovement, movements)
    bulk.copy(BomLine, _lists(plant, parts))


def _uses(plant: Plant, jobs: list[Job]) -> Uses:
    """What each job took out of the store when it began."""
    found: Uses = {}
    for job in jobs:
        started = job.times["started"]
        if started is None:
            continue
        if job.fault is not None and job.fault.part:
            pieces = Decimal(plant.rng.choice([1, 1, 1, 2]))
            found.setdefault((job.fault.part, job.machine.size), []).append((started, job, pieces))
        elif job.type == "preventive" and chance(plant.rng, 0.3):
            found.setdefault((GREASE, "S"), []).append((started, job, Decimal("0.2")))
    for uses in found.values():
        uses.sort(key=lambda use: use[0])
    return found


def _parts(bulk: Bulk, plant: Plant, uses: Uses) -> dict[tuple[str, str], Row]:
    keys = [(row, size) for row in PARTS for size in SIZES]
    ids, numbers = bulk.ids(Part, len(keys)), bulk.numbers("part", len(keys))
    found: dict[tuple[str, str], Row] = {}
    for ((name, unit, supplier, cost, days, critical), size), id_, number in zip(keys, ids, numbers, strict=True):
        a_month = sum((quantity for _at, _job, quantity in uses.get((name, size), [])), Decimal(0)) / 24
        minimum = max(Decimal(2), (a_month * days / 30 * 2).to_integral_value())
        found[name, size] = {
            "id": id_,
            "site_id": plant.site.id,
            "number": f"P-{number:04d}",
            "name": f"{name} {size}",
            "unit": unit,
            "supplier": supplier,
            "supplier_part_no": f"{plant.rng.randrange(10**6):06d}",
            "unit_cost": Decimal(str(round(cost * (1 + SIZES.index(size) * 0.4), 2))),
            "average_cost": Decimal(0),
            "minimum": minimum,
            "maximum": minimum * 3,
            "lead_days": days,
            "critical": critical,
            "created_at": plant.start,
        }
    return found


def _ledger(plant: Plant, part: Row, store: int, uses: list[Use]) -> list[Row]:
    """Movements of one part in the order of time; bought up to its maximum before the first use and before it would run out."""
    on_hand, rows = Decimal(0), list[Row]()

    def move(reason: str, quantity: Decimal, at: datetime, job: Job | None, cost: Decimal) -> None:
        base = {"part_id": part["id"], "store_id": store, "reason": reason, "quantity": quantity, "unit_cost": cost}
        order = job.id if job else None
        rows.append(
            {**base, "order_id": order, "note": "" if job else "delivery", "by": job.who[1] if job and job.who else ACTOR, "at": at}
        )

    def buy(up_to: Decimal, at: datetime) -> Decimal:
        cost = (part["unit_cost"] * Decimal(str(round(plant.rng.uniform(0.95, 1.1), 3)))).quantize(Decimal("0.01"))
        part["average_cost"] = averaged(on_hand, part["average_cost"], up_to - on_hand, cost)
        move("receipt", up_to - on_hand, at, None, cost)
        return up_to

    on_hand = buy(part["maximum"], min([plant.start, *(at for at, _job, _quantity in uses[:1])]))
    for at, job, quantity in uses:
        if on_hand - quantity < part["minimum"]:
            on_hand = buy(max(part["maximum"], quantity + part["minimum"]), at - timedelta(minutes=3))
        on_hand -= quantity
        move("issue", -quantity, at, job, part["average_cost"])
    return rows


def _lists(plant: Plant, parts: dict[tuple[str, str], Row]) -> list[Row]:
    """Of every machine: the parts that its faults change."""
    return [
        {"site_id": plant.site.id, "asset_id": machine.id, "part_id": parts[name, machine.size]["id"], "quantity": 1, "position": name}
        for machine in plant.machines
        for name in sorted({fault.part for fault in machine.kind.faults if fault.part})
    ]
