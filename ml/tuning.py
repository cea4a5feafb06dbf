"""Thresholds from verdicts (N-22): which change of a limit or of a stuck time would have kept the false alerts away and the true ones.

`tune_tag` is the rq job. Every candidate is proved by replaying the stored readings around each alert through the engine; it only
proposes: a person accepts or dismisses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Any

import numpy as np
import psycopg2

from ml.alert_runs import Ledger
from ml.engine import Engine
from ml.kept import only_asset
from ml.proposal import BadProposal, Proposal, proposed_snapshot, read_proposal
from ml.replay import Run, feed, slices
from ml.scoring import Floats, Ints
from realtime import settings as settings_module
from realtime import stored_rows
from realtime.bus import Bus, connect, now_ms
from realtime.events import Signal, SignalName
from realtime.historian import Connection
from realtime.settings import Settings
from realtime.snapshot import Limit, Snapshot, Tag

WARM_UP_MS, AFTER_MS, LONGEST_MS = 60_000, 30_000, 2 * 3_600_000  # of the window around an alert, besides what it waited
MOST_CASES = 40
MARGIN = 0.01  # of the normal range, beyond the furthest false reading
LONGER = 1.25  # than the longest false one
LONGEST_DELAY_S = 3600.0
STUCK_STEPS = (1.5, 2.0, 3.0, 5.0, 8.0, 12.0)
READINGS = 200_000


@dataclass(frozen=True, slots=True)
class Case:
    """An alert that people judged, ms UTC; `true`: confirmed, else false."""

    start: int
    end: int
    true: bool


@dataclass(frozen=True, slots=True)
class Question:
    """The tag, what its alerts say (high, low, stuck), and for limits which of the tag's limits they crossed."""

    tag: Tag
    code: str
    target: int | None

    def waits_s(self, settings: Settings) -> float:
        """Seconds from the trouble to its alert."""
        if self.target is not None:
            return self.tag.limits[self.target].on_delay_s
        return 1.1 * (self.tag.stuck_s or settings.stuck_sensor_minutes * 60)


class Trial:
    """Replays of all cases; the plant is one asset with the tag in question and its state tags."""

    def __init__(self, conn: Connection, snapshot: Snapshot, question: Question, cases: Sequence[Case], settings: Settings) -> None:
        tags = [tag for tag in snapshot.tags if tag.id == question.tag.id or tag.role is not None]
        self.snapshot = Snapshot(version=snapshot.version, tags=tags, assets=snapshot.assets, sources=snapshot.sources)
        self.conn, self.question, self.cases, self.settings = conn, question, cases, settings
        self.before_ms = round(1000 * question.waits_s(settings)) + AFTER_MS
        was = self.raised(Proposal())
        self.known = [case for case, raised in zip(cases, was, strict=True) if raised]

    def raised(self, proposal: Proposal, cases: Sequence[Case] | None = None) -> list[bool]:
        """Whether each case would have alerted."""
        plant = proposed_snapshot(self.snapshot, proposal)
        return [self._raised(plant, case) for case in (self.cases if cases is None else cases)]

    def _raised(self, plant: Snapshot, case: Case) -> bool:
        run = Run(Engine(plant, self.question.tag.shard, self.settings), Ledger())
        feed([run], slices(self.conn, plant.tags, *self.window(case), lambda _: None))
        return any(
            one.tag == self.question.tag.name and one.code == self.question.code and one.start >= case.start - AFTER_MS
            for one in run.ledger.raised
        )

    def window(self, case: Case) -> tuple[int, int]:
        """Where the readings of a case are looked for, ms UTC."""
        return case.start - self.before_ms - WARM_UP_MS, min(case.end, case.start + LONGEST_MS) + AFTER_MS

    def separates(self, proposal: Proposal) -> bool:
        """No false alert would have risen, and every true one would."""
        return self.raised(proposal, self.known) == [case.true for case in self.known]

    def readings(self, case: Case) -> tuple[Ints, Floats]:
        """Good readings from the alert's begin, less what it waited, to its end."""
        with self.conn.cursor() as cursor:
            found = stored_rows.rows(cursor, self.question.tag.id, case.start - self.before_ms, self.window(case)[1], READINGS)
        good = (found.q & 3 == 0) & np.isfinite(found.v)
        return found.t[good], found.v[good]


def candidates(trial: Trial) -> Iterator[tuple[str, Any, Any, Proposal]]:
    """(field, as it is, as proposed, proposal) from the false cases, least intrusive first; not proved yet."""
    tag, target = trial.question.tag, trial.question.target
    false = [trial.readings(case) for case in trial.known if not case.true]
    if trial.question.code == "stuck":
        now = tag.stuck_s or trial.settings.stuck_sensor_minutes * 60
        yield from (("stuck_s", now, ceil(now * step), Proposal(tag.id, {"stuck_s": float(ceil(now * step))})) for step in STUCK_STEPS)
    elif target is not None:
        limit = tag.limits[target]
        delay = ceil(LONGER * max((_longest_beyond(limit, t, v) for t, v in false), default=0.0) / 5) * 5.0
        if limit.on_delay_s < delay <= LONGEST_DELAY_S:
            yield "on_delay_s", limit.on_delay_s, delay, _with(tag, target, on_delay_s=delay)
        value = _beyond_all(tag, limit, [v for _, v in false])
        yield "value", limit.value, value, _with(tag, target, value=value)


def _with(tag: Tag, target: int, **changed: float) -> Proposal:
    rows = [{name: getattr(limit, name) for name in limit.__struct_fields__} for limit in tag.limits]
    rows[target] |= changed
    return read_proposal({"tag": tag.id, "fields": {"limits": rows}})


def _longest_beyond(limit: Limit, t: Ints, v: Floats) -> float:
    """Seconds of the longest stretch beyond the limit."""
    beyond = np.r_[False, v > limit.value if limit.side == "high" else v < limit.value, False]
    edges = np.flatnonzero(np.diff(beyond.astype(np.int8)))
    begins, ends = edges[::2], np.minimum(edges[1::2], len(t) - 1)
    return float((t[ends] - t[begins]).max() / 1000) if len(begins) else 0.0


def _beyond_all(tag: Tag, limit: Limit, readings: Sequence[Floats]) -> float:
    """A value that no false reading crossed, rounded outwards to three digits of the normal range."""
    sign = 1.0 if limit.side == "high" else -1.0
    span = tag.high - tag.low if tag.low is not None and tag.high is not None and tag.high > tag.low else abs(limit.value) or 1.0
    furthest = max(float((v * sign).max()) for v in readings if len(v))
    step = 10.0 ** (floor(log10(span)) - 2)
    return round(sign * ceil((furthest + MARGIN * span) / step) * step, 9)


def tune(conn: Connection, snapshot: Snapshot, question: Question, cases: Sequence[Case], settings: Settings) -> dict[str, Any]:
    """Proved candidates: one a field; `reproduced` counts the cases whose alert the stored readings raise again."""
    trial = Trial(conn, snapshot, question, cases, settings)
    counts = {"true": sum(case.true for case in trial.known), "false": sum(not case.true for case in trial.known)}
    if not counts["false"]:
        return {"reproduced": counts, "candidates": [], "why": "no false alert rises again from the stored readings"}
    found: dict[str, dict[str, Any]] = {}
    for field, was, to, proposal in candidates(trial):
        if field not in found and trial.separates(proposal):
            found[field] = {"field": field, "from": was, "to": to}
    why = "" if found else "nothing keeps the false alerts away without losing a true one"
    return {"reproduced": counts, "candidates": list(found.values()), "why": why}


def tune_tag(
    asset_id: int, tag_id: int, code: str, target: Mapping[str, Any] | None, cases: list[list[Any]], job: int | str = ""
) -> dict[str, Any]:
    """The rq job: cases are [start, end, confirmed]; target is the limit in question as it stands; answers as `tune` and on `signals`."""
    settings = settings_module.load()
    settings_module.require(settings, "database_url", "redis_url")
    bus = Bus(connect(str(settings.redis_url)), settings.bus_prefix, settings.bus_max_mb)
    about = {"job": job, "total": 1, "asset": asset_id}
    bus.add_signals([Signal(SignalName.JOB_PROGRESS, now_ms(), {**about, "done": 0, "message": "replaying judged alerts"})])
    answer = _answer(bus, (asset_id, tag_id, code), target, cases, settings)
    message = str(answer.get("refused") or answer.get("why") or "proposed")
    bus.add_signals([Signal(SignalName.JOB_PROGRESS, now_ms(), {**about, "done": 1, "message": message, "tuning": answer})])
    return answer


def _answer(
    bus: Bus, about: tuple[int, int, str], target: Mapping[str, Any] | None, cases: list[list[Any]], settings: Settings
) -> dict[str, Any]:
    asset_id, tag_id, code = about
    snapshot = bus.config()
    tag = None if snapshot is None else snapshot.tag_by_id().get(tag_id)
    if snapshot is None or tag is None or tag.asset != asset_id:
        return {"refused": f"tag {tag_id} is not in the published plant snapshot"}
    at = None
    if target is not None:
        same = [
            i
            for i, one in enumerate(tag.limits)
            if (one.side, one.value, one.severity) == tuple(target[k] for k in ("side", "value", "severity"))
        ]
        if not same:
            return {"refused": "the limit was changed since"}
        at = same[0]
    conn = psycopg2.connect(str(settings.database_url))
    try:
        judged = [Case(int(start), int(end), bool(true)) for start, end, true in cases[:MOST_CASES]]
        return tune(conn, only_asset(snapshot, asset_id), Question(tag, code, at), judged, settings)
    except BadProposal as error:
        return {"refused": str(error)}
    finally:
        conn.close()
