"""What-if replay (N-29): stored raw readings of one asset through two engines, as it is and as proposed; `replay_asset` is the rq job.

Nothing is changed by it. Readings are taken ten minutes at a time, so memory does not grow with the span.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import psycopg2

from ml.alert_runs import Ledger, Raised, changes
from ml.artefacts import Damaged, signing_key
from ml.engine import Engine
from ml.kept import only_asset, opened
from ml.proposal import BadProposal, Proposal, proposed_settings, proposed_snapshot, read_proposal
from ml.scoring import Ints
from ml.store import OWN_VERSION, load_model
from realtime import settings as settings_module
from realtime import stored_rows
from realtime.bus import Bus, connect, now_ms
from realtime.events import Batch, Signal, SignalName
from realtime.historian import Connection
from realtime.settings import Settings
from realtime.snapshot import Asset, Snapshot, Tag

PAGE_MS = 600_000
PAGE_READINGS = 200_000  # of one tag: 3 ms between readings
SLICE_MS = 2000  # of source time that a batch holds
HOLE_MS = 600_000  # nothing stored for so long: not kept, rather than silent
WARM_UP_MS = 1_800_000  # before the span: windows fill and levels settle
TOLD = 200  # alerts of each list of a result
TELL_EVERY_S = 2.0
LONGEST_MS = 92 * 86_400_000


@dataclass(slots=True)
class Run:
    """An engine with its ledger."""

    engine: Engine
    ledger: Ledger


@dataclass(slots=True)
class Seen:
    """What was fed: readings, and ms of source time without holes."""

    readings: int = 0
    covered_ms: int = 0


def slices(conn: Connection, tags: Sequence[Tag], start: int, end: int, tell: Callable[[int], None]) -> Iterator[Batch]:
    """Stored readings of [start, end) as batches of SLICE_MS in order of time; tell(ms) says how far it is."""
    numbers = [tag for tag in tags if tag.kind == "f64"]
    for page in range(start, end, PAGE_MS):
        tell(page)
        until = min(page + PAGE_MS, end)
        with conn.cursor() as cursor:
            found = [stored_rows.rows(cursor, tag.id, page, until, PAGE_READINGS) for tag in numbers]
        ids = np.repeat(np.array([tag.id for tag in numbers], np.uint32), [len(one.t) for one in found])
        t = np.concatenate([np.empty(0, np.int64), *(one.t for one in found)]).astype(np.int64)
        v = np.concatenate([np.empty(0), *(one.v for one in found)])
        q = np.concatenate([np.empty(0, np.int16), *(one.q for one in found)]).astype(np.uint8)
        order = np.argsort(t, kind="stable")
        yield from _cut(numbers[0].shard if numbers else 0, ids[order], t[order], v[order], q[order])


def _cut(shard: int, ids: npt.NDArray[np.uint32], t: Ints, v: npt.NDArray[np.float64], q: npt.NDArray[np.uint8]) -> Iterator[Batch]:
    if not len(t):
        return
    at = np.flatnonzero(np.r_[True, np.diff(t // SLICE_MS) > 0])
    for low, high in zip(at.tolist(), [*at[1:].tolist(), len(t)], strict=True):
        seq = np.zeros(high - low, np.uint32)
        yield Batch(shard, int(t[high - 1]), "replay", ids[low:high], t[low:high], q[low:high], seq, v[low:high])


def feed(runs: Sequence[Run], batches: Iterator[Batch]) -> Seen:
    """Judge the batches in every engine; the timer goes on between them, but not through a hole."""
    seen = Seen()
    now: int | None = None
    for batch in batches:
        first = int(batch.t[0])
        if now is None or first - now > HOLE_MS:
            for run in runs:
                run.engine.start_listening(first)
            now = first
        for moment in range(now + SLICE_MS, first, SLICE_MS):
            _tick(runs, moment)
        for run in runs:
            run.ledger.fold(run.engine.process([batch]))
        _tick(runs, batch.received_ms)
        seen.readings += len(batch)
        seen.covered_ms += batch.received_ms - now
        now = batch.received_ms
    return seen


def _tick(runs: Sequence[Run], now: int) -> None:
    for run in runs:
        run.ledger.fold(run.engine.tick(now))


def _made(conn: Connection, snapshot: Snapshot, asset: Asset, version: int, settings: Settings) -> Run:
    """An engine of the asset's shard with a kept model; a missing one leaves the rules only. Raises Damaged."""
    engine = Engine(snapshot, snapshot.tags[0].shard, settings)
    raw = load_model(conn, asset.id, version)
    if raw is not None:
        engine.load(opened(raw, signing_key(settings), snapshot, (asset.id, version), settings))
    return Run(engine, Ledger())


def replay(
    conn: Connection,
    snapshot: Snapshot,
    span: tuple[int, int],
    proposal: Proposal,
    settings: Settings,
    tell: Callable[[int], None] = lambda _: None,
) -> dict[str, Any]:
    """Both engines over the span (ms UTC) of a snapshot of one asset; raises BadProposal or Damaged."""
    asset = snapshot.assets[0]
    active = {model.asset: model.version for model in snapshot.active_models}.get(asset.id, OWN_VERSION)
    wanted = active if proposal.model is None else proposal.model
    if proposal.model is not None and load_model(conn, asset.id, wanted) is None:
        raise BadProposal(f"model {wanted} of asset {asset.code} is not kept")
    now = _made(conn, snapshot, asset, active, settings)
    then = _made(conn, proposed_snapshot(snapshot, proposal), asset, wanted, proposed_settings(settings, proposal))
    seen = feed([now, then], slices(conn, snapshot.tags, span[0] - WARM_UP_MS, span[1], tell))
    before, after = ([one for one in run.ledger.raised if one.start >= span[0]] for run in (now, then))
    return {
        **_told(before, after, span[1]),
        "readings": seen.readings,
        "covered_s": round(min(seen.covered_ms, span[1] - span[0]) / 1000),
        "learned": {"now": asset.id in now.engine.models, "proposed": asset.id in then.engine.models},
        "in_sample": in_sample(asset, span),
    }


def in_sample(asset: Asset, span: tuple[int, int]) -> float:
    """Share of the span that lies in the asset's confirmed baselines: there a learned detector judges what it learned from."""
    inside = sum(max(0, min(b.end, span[1]) - max(b.start, span[0])) for b in asset.baselines if b.confirmed)
    return round(min(inside / (span[1] - span[0]), 1.0), 3)


def _told(before: list[Raised], after: list[Raised], end: int) -> dict[str, Any]:
    diff = changes(before, after, end)
    lists = {"added": diff.added, "removed": diff.removed, "kept": diff.kept}
    return {
        "now": len(before),
        "proposed": len(after),
        "counts": {name: len(alerts) for name, alerts in lists.items()},
        **{name: [body(one, covered=id(one) in diff.covered) for one in alerts[:TOLD]] for name, alerts in lists.items()},
    }


def body(alert: Raised, *, covered: bool = False) -> dict[str, Any]:
    """An alert as a result tells it; times ms UTC. covered: another alert of the tag and type stands meanwhile."""
    return {
        "tag": alert.tag,
        "type": str(alert.type),
        "code": alert.code,
        "detector": alert.detector,
        "detectors": sorted(alert.detectors),
        "start": alert.start,
        "end": alert.end,
        "severity": str(alert.severity),
        "peak": round(alert.peak, 3),
        "provisional": alert.provisional,
        "covered": covered,
    }


def replay_asset(asset_id: int, start: int, end: int, proposal: dict[str, Any], job: int | str = "") -> dict[str, Any]:
    """The rq job: answers what `replay` says and reports progress and answer on `signals`; a refusal is {"refused": reason}."""
    settings = settings_module.load()
    settings_module.require(settings, "database_url", "redis_url")
    bus = Bus(connect(str(settings.redis_url)), settings.bus_prefix, settings.bus_max_mb)
    about = {"job": job, "total": 100, "asset": asset_id}
    last = float("-inf")

    def tell(at: int) -> None:
        nonlocal last
        if time.monotonic() - last >= TELL_EVERY_S:
            last = time.monotonic()
            done = max(0, min(99, round(100 * (at - start + WARM_UP_MS) / (end - start + WARM_UP_MS))))
            bus.add_signals([Signal(SignalName.JOB_PROGRESS, now_ms(), {**about, "done": done, "message": "replaying"})])

    answer = _answer(bus, asset_id, (start, end), proposal, settings, tell)
    report = {**about, "done": 100, "message": str(answer.get("refused", "replayed")), "replay": answer}
    bus.add_signals([Signal(SignalName.JOB_PROGRESS, now_ms(), report)])
    return answer


def _answer(
    bus: Bus, asset_id: int, span: tuple[int, int], proposal: dict[str, Any], settings: Settings, tell: Callable[[int], None]
) -> dict[str, Any]:
    snapshot = bus.config()
    if snapshot is None or asset_id not in snapshot.asset_by_id():
        return {"refused": f"asset {asset_id} is not in the published plant snapshot"}
    if not 0 < span[1] - span[0] <= LONGEST_MS:
        return {"refused": "the span is empty or longer than 92 days"}
    own = only_asset(snapshot, asset_id)
    if not own.tags:
        return {"refused": "the asset has no tag"}
    conn = psycopg2.connect(str(settings.database_url))
    try:
        return replay(conn, own, span, read_proposal(proposal), settings, tell)
    except (BadProposal, Damaged) as error:
        return {"refused": str(error)}
    finally:
        conn.close()
