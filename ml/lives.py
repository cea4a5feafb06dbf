"""Remaining life of the machines of one kind, from the lives in their records and hours of the history; `tell_lives` is the rq job.

Which lives there are is the server's to say (it has the orders); how a life ends is `ml.rul`'s to learn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg2

from ml.artefacts import Damaged, seal, signing_key, unseal
from ml.progress import Progress
from ml.regimes import conditions, regime
from ml.rul import CAP, LEAST_CYCLES, LEAST_LIVES, ROUNDS, LifeModel, TooFewLives, from_arrays, learn_life
from ml.scoring import RUNNING, Floats, Ints
from ml.store import load_model, save_model
from ml.training import learnable
from realtime import settings as settings_module
from realtime.bus import Bus, connect, now_ms
from realtime.historian import Connection
from realtime.hourly_levels import hourly_levels, hourly_states
from realtime.settings import Settings
from realtime.snapshot import Snapshot, Tag

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
ROWS = 200  # rows of a usual life: so many run hours are one row that CAP is more than half of it
LEAST_ROWS = 5  # of the present life
LATE = 0.1  # of its length: a life whose readings begin later than this after it began is not whole
NEWEST_ROWS = 3  # their mean is what must be like the lives
MARGIN = 0.1  # of what a signal spanned in the lives: that far beyond it is still like them
OLDER = 1.2  # of the longest life: a machine older than that is not like them
NO_WEAR = 0.8  # of the error of always telling the mean: a model that is no better than that has seen no wear
PACE_DAYS = 14

Life = tuple[int, int, int]  # asset, began, ended (ms UTC)


@dataclass(frozen=True, slots=True)
class Kind:
    """What machines of one kind have in common. names: ends of tag names; hours: run hours a row.

    seen float64 (2, c): least and greatest row of each signal in the lives; longest: rows of the longest of them.
    """

    names: tuple[str, ...]
    hours: int
    seen: Floats
    longest: int
    lives: int
    life: LifeModel


def signals(snapshot: Snapshot, asset_id: int) -> dict[str, Tag]:
    """Its analogue tags by the end of their name, after the asset's code: by that machines of a class name the same signal."""
    code = snapshot.asset_by_id()[asset_id].code
    return {tag.name.removeprefix(code): tag for tag in learnable(snapshot, asset_id) if tag.name.startswith(code)}


def running_hours(conn: Connection, snapshot: Snapshot, asset_id: int, names: Sequence[str], span: tuple[int, int]) -> tuple[Ints, Floats]:
    """(t int64 (n,), means float64 (n, c)) of the hours of a span in which it ran from beginning to end; NaN = no good reading."""
    tags = signals(snapshot, asset_id)
    found = hourly_levels(conn, [tags[name].id for name in names], *span)
    hours = np.unique(np.concatenate([np.zeros(0, np.int64), *(t for t, _ in found.values())]))
    (condition,) = conditions(
        [snapshot.asset_by_id()[asset_id]], [tag for tag in snapshot.tags if tag.asset == asset_id], snapshot.sources
    )  # fmt: skip
    if condition.tag is not None:
        t, state = hourly_states(conn, condition.tag, *span)
        hours = np.intersect1d(hours, t[regime(condition, state, np.full(len(t), np.nan)) == RUNNING])
    hours = hours[(hours >= span[0]) & (hours < span[1])]
    means = np.full((len(hours), len(names)), np.nan)
    for i, name in enumerate(names):
        t, level = found.get(tags[name].id, (np.zeros(0, np.int64), np.zeros(0)))
        _, here, there = np.intersect1d(hours, t, return_indices=True)
        means[here, i] = level[there]
    return hours, means


def rows_of(means: Floats, hours: int) -> Floats:
    """float64 (n, c): means of `hours` neighbours, whole ones only; a missing value is the one before, and rows before all are gone."""
    n = len(means) // hours
    cells = means[: n * hours].reshape(n, hours, means.shape[1])
    count = np.isfinite(cells).sum(axis=1)
    rows = np.where(count > 0, np.nansum(cells, axis=1) / np.maximum(count, 1), np.nan)
    last = np.maximum.accumulate(np.where(np.isfinite(rows), np.arange(n)[:, None], -1), axis=0)
    whole: Floats = np.take_along_axis(rows, np.maximum(last, 0), axis=0)[(last >= 0).all(axis=1)]
    return whole


def learn(conn: Connection, snapshot: Snapshot, lives: Sequence[Life], rounds: int = ROUNDS) -> Kind:
    """Learn from lives whose readings go back to their beginning; raises TooFewLives with the count."""
    known = [life for life in lives if life[0] in snapshot.asset_by_id()]
    names = tuple(sorted(set.intersection(*(set(signals(snapshot, life[0])) for life in known)))) if known else ()
    if not names:
        raise TooFewLives(f"{len(known)} lives of machines that have a signal of the same name")
    read = [running_hours(conn, snapshot, asset, names, (began, ended)) for asset, began, ended in known]
    means = [rows for (t, rows), (_, began, ended) in zip(read, known, strict=True) if len(t) and t[0] <= began + _late(ended - began)]
    hours = max(round(float(np.median([len(rows) for rows in means])) / ROWS), 1) if means else 1
    table = [rows for rows in (rows_of(one, hours) for one in means) if len(rows) >= LEAST_CYCLES]
    if len(table) < LEAST_LIVES:
        raise TooFewLives(
            f"{len(table)} of {len(lives)} lives have readings from beginning to end, at least {LEAST_CYCLES} run hours; "
            f"{LEAST_LIVES} are needed"
        )
    model = learn_life(table, rounds=rounds)
    whole = np.vstack(table)
    return Kind(names, hours, np.stack([whole.min(axis=0), whole.max(axis=0)]), max(map(len, table)), len(table), model)


def _late(length: int) -> float:
    return max(LATE * length, DAY_MS)


def tell(conn: Connection, snapshot: Snapshot, kind: Kind, asset_id: int, began: int | None, now: int) -> dict[str, Any]:
    """{"state", ...} of one machine. expected: left_h, low_h, high_h run hours (90 % band); long: more_than_h of them at least.

    Words without numbers: no_wear (the lives do not show when they end), unlike (it is not as they were), new (too young),
    too_little (its readings do not go back to its beginning). hours_a_day: what it ran of late.
    """
    if kind.life.error[0] > NO_WEAR * kind.life.error[1]:
        return {"state": "no_wear"}
    if asset_id not in snapshot.asset_by_id() or began is None or not set(kind.names) <= set(signals(snapshot, asset_id)):
        return {"state": "too_little"}
    t, means = running_hours(conn, snapshot, asset_id, kind.names, (began, now))
    if not len(t) or t[0] > began + _late(now - began):
        return {"state": "too_little"}
    rows = rows_of(means, kind.hours)
    if len(rows) < LEAST_ROWS:
        return {"state": "new"}
    margin = MARGIN * (kind.seen[1] - kind.seen[0])
    newest = rows[-NEWEST_ROWS:].mean(axis=0)
    if len(rows) > OLDER * kind.longest or (newest < kind.seen[0] - margin).any() or (newest > kind.seen[1] + margin).any():
        return {"state": "unlike"}
    days = min(PACE_DAYS, (now - began) / DAY_MS)
    return _in_hours(kind, rows) | {"hours_a_day": round(float((t >= now - days * DAY_MS).sum()) / days, 2)}


def _in_hours(kind: Kind, rows: Floats) -> dict[str, Any]:
    found = kind.life.predict(rows)
    low, left, high = (round(kind.hours * cycles, 1) for cycles in (found.low, found.left, found.high))
    if found.high >= CAP:  # nobody was told more than this: the upper end is not known
        return {"state": "long", "more_than_h": low}
    return {"state": "expected", "left_h": left, "low_h": low, "high_h": high}


def sealed(kind: Kind, key: bytes) -> tuple[dict[str, Any], bytes]:
    """(what a person may want to know of it, signed bytes)."""
    meta = {"names": list(kind.names), "hours": kind.hours, "longest": kind.longest, "lives": kind.lives}
    return meta, seal(meta, {**kind.life.arrays(), "seen": kind.seen}, key)


def unsealed(raw: bytes, key: bytes) -> Kind:
    """The inverse; raises Damaged."""
    meta, arrays = unseal(raw, key)
    try:
        life = from_arrays(arrays)
        return Kind(tuple(meta["names"]), int(meta["hours"]), arrays["seen"], int(meta["longest"]), int(meta["lives"]), life)
    except (KeyError, TypeError) as error:
        raise Damaged(f"life model unreadable: {error}") from error


def tell_lives(
    asset_id: int, lives: list[list[int]], machines: dict[str, int | None], model: list[int] | None, job: int | str = ""
) -> dict[str, Any]:
    """The rq job: learn from lives [asset, began, ended], or take the kept model [asset, version], and tell of each machine.

    machines: asset id -> when its present life began, ms UTC. Answers on `signals` too; a refusal is {"refused": reason}.
    """
    settings = settings_module.load()
    settings_module.require(settings, "database_url", "redis_url")
    bus = Bus(connect(str(settings.redis_url)), settings.bus_prefix, settings.bus_max_mb)
    progress = Progress(bus, job, 1, asset=asset_id)
    progress.at(0, f"reading {len(lives)} lives")
    kept = (asset_id, int(job or 0)) if model is None else (model[0], model[1])
    answer = _answered(bus.config(), settings, kept, lives if model is None else None, machines)
    progress.end(str(answer.get("refused", "told")), lives=answer)
    return answer


def _answered(
    snapshot: Snapshot | None,
    settings: Settings,
    kept: tuple[int, int],
    lives: Sequence[Sequence[int]] | None,
    machines: Mapping[str, int | None],
) -> dict[str, Any]:
    """What `tell_lives` answers; lives None = the kept model has been learned from them."""
    if snapshot is None:
        return {"refused": "no plant snapshot is published"}
    conn = psycopg2.connect(str(settings.database_url))
    try:
        kind = _kept(conn, settings, kept) if lives is None else _learned(conn, snapshot, settings, kept, lives)
        answer = _answer(conn, snapshot, kind, machines) | {"model": list(kept)}
        conn.commit()
    except (TooFewLives, Damaged) as error:
        return {"refused": str(error)}
    finally:
        conn.close()
    return answer


def _learned(conn: Connection, snapshot: Snapshot, settings: Settings, kept: tuple[int, int], lives: Sequence[Sequence[int]]) -> Kind:
    kind = learn(conn, snapshot, [(int(a), int(b), int(c)) for a, b, c in lives])
    meta, body = sealed(kind, signing_key(settings))
    # below zero: no version of the models that judge readings ever has such a number
    save_model(conn, kept[0], -kept[1], "", meta, body)
    return kind


def _kept(conn: Connection, settings: Settings, kept: tuple[int, int]) -> Kind:
    raw = load_model(conn, kept[0], -kept[1])
    if raw is None:
        raise Damaged(f"version {kept[1]} of the life model is gone; learn it anew")
    return unsealed(raw, signing_key(settings))


def _answer(conn: Connection, snapshot: Snapshot, kind: Kind, machines: Mapping[str, int | None]) -> dict[str, Any]:
    now = now_ms()
    told = {id_: tell(conn, snapshot, kind, int(id_), began, now) for id_, began in machines.items()}
    error = round(kind.hours * float(kind.life.error[0]), 1)
    return {"at": now, "lives": kind.lives, "row_h": kind.hours, "error_h": error, "machines": told}
