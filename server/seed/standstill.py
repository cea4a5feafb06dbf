"""When the machines of the believable plant ran and stood in its two years, with the downtime of each failure."""

from __future__ import annotations

from datetime import datetime

from server.models.downtime import Downtime
from server.models.plant import OperatingPeriod
from server.seed.bulk import ACTOR, Bulk, Row
from server.seed.jobs import Job, chance
from server.seed.plant import Machine, Plant


def write_standstill(bulk: Bulk, plant: Plant, jobs: list[Job]) -> None:
    """Operating periods without a hole and the downtimes in them, machine by machine."""
    by_machine: dict[int, list[Job]] = {machine.id: [] for machine in plant.machines}
    for job in jobs:
        if job.stops and job.state != "cancelled" and (job.fault or job.times["started"]):
            by_machine[job.machine.id].append(job)
    periods: list[Row] = []
    downtimes: list[Row] = []
    for machine in plant.machines:
        _stretches(plant, machine, by_machine[machine.id], periods, downtimes)
    bulk.copy(OperatingPeriod, periods)
    bulk.copy(Downtime, downtimes)


def _stretches(plant: Plant, machine: Machine, jobs: list[Job], periods: list[Row], downtimes: list[Row]) -> None:
    ran_since = plant.start
    for job in sorted(jobs, key=_stood_from):
        began, ended = _stood_from(job), job.times["completed"]
        if began <= ran_since:
            continue  # it stood already
        operating = "fault" if job.fault else "stopped"
        periods.append(_period(machine, "running", ran_since, began))
        periods.append(_period(machine, operating, began, ended))
        downtimes.append(_downtime(plant, job, operating, began, ended))
        if ended is None:
            return
        ran_since = ended
    periods.append(_period(machine, "running", ran_since, None))


def _stood_from(job: Job) -> datetime:
    return job.at if job.fault else job.times["started"] or job.at


def _period(machine: Machine, operating: str, began: datetime, ended: datetime | None) -> Row:
    return {"asset_id": machine.id, "operating": operating, "started_at": began, "ended_at": ended, "followed": True}


def _downtime(plant: Plant, job: Job, operating: str, began: datetime, ended: datetime | None) -> Row:
    category = "planned" if job.fault is None else "unclassified" if chance(plant.rng, 0.08) else "unplanned"
    judged = None if category == "unclassified" else began
    return {
        "site_id": plant.site.id,
        "asset_id": job.machine.id,
        "started_at": began,
        "ended_at": ended,
        "state": operating,
        "category": category,
        "work_order_id": job.id,
        "machine_rate": job.machine.rate,
        "classified_by": ACTOR if judged else None,
        "classified_at": judged,
        "created_at": began,
    }
