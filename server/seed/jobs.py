"""What happened in two years: failures by a Weibull law with a season, service by the calendar, rounds, calibrations. No table."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from server.rules.priorities import Priority, time_left
from server.seed.catalogue import Fault
from server.seed.plant import Machine, Plant

FAILED, SERVICED = 0.36, 0.52  # shares of all orders; rounds fill up the rest
_WAIT_H = {Priority.URGENT: 0.3, Priority.HIGH: 2.0, Priority.NORMAL: 14.0, Priority.LOW: 60.0}
_DAY = timedelta(days=1)


@dataclass(slots=True)
class Job:
    """One order to be and, after `live`, its life."""

    machine: Machine
    at: datetime
    type: str
    title: str
    minutes: int
    priority: Priority = Priority.NORMAL
    fault: Fault | None = None
    instrument: dict[str, Any] | None = None
    id: int = 0
    number: str = ""
    state: str = "open"
    who: tuple[int, str] | None = None
    verifier: str | None = None
    times: dict[str, datetime | None] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        """True when the work was done."""
        return self.state in {"completed", "verified"}

    @property
    def stops(self) -> bool:
        """True when the machine stood for it."""
        return self.fault.stops if self.fault else self.type == "preventive"


def jobs(plant: Plant, count: int) -> list[Job]:
    """Exactly `count` jobs in the order of time."""
    rng, found = plant.rng, list(_calibrations(plant))
    per_machine = max(0.0, count - len(found)) / len(plant.machines)
    for machine in plant.machines:
        found += _failures(plant, machine, per_machine * FAILED)
        found += _services(plant, machine, per_machine * SERVICED)
    if len(found) > count:
        found = rng.sample(found, count)
    while len(found) < count:
        at = plant.start + rng.random() * (plant.now - plant.start)
        found.append(Job(rng.choice(plant.machines), at, "inspection", "Round: look, listen, feel", 15, Priority.LOW))
    found.sort(key=lambda job: job.at)
    for job in found:
        live(plant, job)
    return found


def _failures(plant: Plant, machine: Machine, wanted: float) -> Iterator[Job]:
    """Times between failures are Weibull distributed; a hot season shortens them."""
    rng, kind, at = plant.rng, machine.kind, plant.start
    mean_h = (plant.now - plant.start) / timedelta(hours=1) / max(wanted, 0.01)
    scale = mean_h / math.gamma(1 + 1 / kind.shape)
    while True:
        season = max(0.0, math.sin(2 * math.pi * (at.timetuple().tm_yday - 105) / 365))
        at += timedelta(hours=max(1.0, rng.weibullvariate(scale, kind.shape) / (1 + kind.summer * season)))
        if at >= plant.now:
            return
        fault = rng.choice(kind.faults)
        priority = rng.choices([Priority.URGENT, Priority.HIGH, Priority.NORMAL], [3, 4, 3] if fault.stops else [0, 3, 7])[0]
        yield Job(machine, at, "corrective", f"{machine.code}: {fault.words}", fault.minutes, priority, fault)


def _services(plant: Plant, machine: Machine, wanted: float) -> Iterator[Job]:
    interval = (plant.now - plant.start) / max(wanted, 0.01)
    at = plant.start + plant.rng.random() * interval
    while at < plant.now:
        yield Job(machine, _in_the_morning(at), "preventive", f"{machine.code}: {machine.kind.service}", 40)
        at += interval


def _in_the_morning(at: datetime) -> datetime:
    weekday = at - _DAY * max(0, at.weekday() - 4)
    return weekday.replace(hour=6, minute=weekday.minute // 10 * 10, second=0, microsecond=0)


def _calibrations(plant: Plant) -> Iterator[Job]:
    machines = {machine.id: machine for machine in plant.machines}
    for instrument in plant.instruments:
        interval = timedelta(days=instrument["calibration_interval_days"])
        at = plant.start + plant.rng.random() * min(interval, timedelta(days=365))
        while at < plant.now:
            machine = machines[instrument["asset_id"]]
            yield Job(machine, _in_the_morning(at), "calibration", f"Calibrate {instrument['tag']}", 35, instrument=instrument)
            at += interval * plant.rng.uniform(0.93, 1.04)


def live(plant: Plant, job: Job) -> None:
    """How far the job has come: waits and work by chance, cut off at now."""
    rng, now = plant.rng, plant.now
    wait = timedelta(hours=rng.expovariate(1 / _WAIT_H[job.priority]))
    assigned = job.at + wait / 3
    started = job.at + wait + timedelta(minutes=5)
    completed = started + timedelta(minutes=max(5, rng.lognormvariate(math.log(job.minutes), 0.4)))
    verified = completed + timedelta(hours=rng.expovariate(1 / 9) + 0.1)
    job.who = rng.choice(plant.technicians)
    job.verifier = rng.choice(plant.managers)[1]
    steps = {"assigned": assigned, "started": started, "completed": completed, "verified": verified}
    if job.type in {"inspection", "preventive"} and rng.random() < 0.03 and started < now:
        job.state, job.times = "cancelled", {**dict.fromkeys(steps), "assigned": assigned, "cancelled": started}
        return
    reached = {name: at if at <= now else None for name, at in steps.items()}
    job.times = {**reached, "cancelled": None}
    last = [name for name, at in reached.items() if at is not None]
    job.state = {"assigned": "assigned", "started": "in_progress"}.get(last[-1], last[-1]) if last else "open"
    if not last:
        job.who = None


def row_of(plant: Plant, job: Job) -> dict[str, Any]:
    """Its row in work_orders."""
    times = job.times
    minutes = (
        round((times["completed"] - times["started"]) / timedelta(minutes=1))
        if job.done and times["completed"] and times["started"]
        else None
    )
    changed = max([job.at, *(at for at in times.values() if at is not None)])
    person = job.who[0] if job.who else None
    return {
        "id": job.id,
        "number": job.number,
        "site_id": plant.site.id,
        "asset_id": job.machine.id,
        "title": job.title,
        "type": job.type,
        "priority": str(job.priority),
        "state": job.state,
        "team_id": plant.team,
        "assignee_id": person,
        "created_by": "seed" if job.type != "inspection" else plant.planner[1],
        "due": job.at + time_left(job.priority),
        "sla_at": job.at + time_left(job.priority),
        "estimated_min": job.minutes,
        "actual_min": minutes,
        "notes": _notes(job) if job.done else None,
        "cancel_reason": "Machine not available" if job.state == "cancelled" else None,
        "created_at": job.at,
        **{f"{name}_at": at for name, at in times.items()},
        "completed_by_id": person if job.done else None,
        "verified_by": job.verifier if job.state == "verified" else None,
        "changed_at": changed,
        "rev": 1 + sum(at is not None for at in times.values()),
    }


def _notes(job: Job) -> str:
    if job.fault is None:
        return "Done as planned."
    return f"{job.fault.words}. " + (f"{job.fault.part} changed, tested." if job.fault.part else "Cause removed, tested.")


def chance(rng: random.Random, share: float) -> bool:
    """True in that share of cases."""
    return rng.random() < share
