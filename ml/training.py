"""Learning an asset's model from its baselines in the history; `train_asset` is the job of queue `ml`.

Confirmed baselines count; without one, an unconfirmed one or the last hours make a provisional model (watch list only).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version as version_of
from typing import Any

import numpy as np
import psycopg2

from ml.artefacts import seal_model, signing_key
from ml.channels import Channels
from ml.detector import DETECTORS
from ml.engine import AssetModel
from ml.features import FEATURE_SET
from ml.healthy import barred, free, good_readings, levels, newest, spread
from ml.progress import Progress
from ml.regimes import Spans
from ml.rehearsal import FOLDS, rehearse
from ml.scoring import Floats, History, Ints, Series
from ml.store import save_model
from realtime import settings as settings_module
from realtime.bus import Bus, connect, now_ms
from realtime.errors import SightlineError
from realtime.historian import Connection
from realtime.settings import Settings
from realtime.snapshot import Asset, Baseline, Snapshot, Tag

LEARNING = 3  # grows when a detector is new or learns otherwise
# What learned: another library, feature set or way of learning asks for a new model (S2-44).
LEARNER = f"{FEATURE_SET}, learning {LEARNING}, scikit-learn {version_of('scikit-learn')}, numpy {version_of('numpy')}"
STEPS = 3 + FOLDS  # of a training: read, learn, learn without each part, judge
FINE_MS = 2 * 3_600_000 + 600_000  # of the newest baselines is read at full rate
JOINED_MS = 86_400_000  # a baseline that ends so long before the next is not read with it
WIDE_STRETCHES, WIDE_MS = 24, 300_000  # of the rest, too: other hours of the day, other products
PROVISIONAL_MS = 2 * 3_600_000
COARSE = 3.0  # a stretch sampled this much slower than the end of the baseline is not live sampling


class TooLittle(SightlineError):
    """There is not enough history to learn from yet."""


@dataclass(frozen=True, slots=True)
class Basis:
    """What a model is learned from."""

    spans: tuple[Baseline, ...]
    provisional: bool


def basis_of(asset: Asset, now: int) -> Basis:
    """The confirmed baselines; else the unconfirmed ones; else the last two hours."""
    confirmed = tuple(sorted((b for b in asset.baselines if b.confirmed), key=lambda b: b.end))
    if confirmed:
        return Basis(confirmed, provisional=False)
    others = tuple(sorted(asset.baselines, key=lambda b: b.end))
    return Basis(others or (Baseline(start=now - PROVISIONAL_MS, end=now, confirmed=False),), provisional=True)


def fingerprint(asset: Asset, tags: list[Tag], settings: Settings) -> str:
    """What a model of this asset depends on, besides the readings: a change of it asks for a new model."""
    spans = [(b.start, b.end) for b in basis_of(asset, 0).spans if b.confirmed]
    facts = [
        (t.id, t.period_s, t.low, t.high, t.range_low, t.range_high, t.drift, t.joint, t.stuck_deadband, t.cusum_k, t.cusum_h) for t in tags
    ]
    out = [(w.start, w.end) for w in asset.work if any(w.start < end and w.end > start for start, end in spans)]
    runs = (asset.runs_by, asset.start_up_s)
    cusum = (settings.cusum_k, settings.cusum_h)
    window = (settings.aggregation_window_s, settings.n_estimators, settings.novelty)
    text = repr((FEATURE_SET, LEARNER, spans, out, runs, facts, window, cusum))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def learnable(snapshot: Snapshot, asset_id: int) -> list[Tag]:
    """The tags of an asset that detectors learn, by id."""
    return sorted((t for t in snapshot.tags if t.asset == asset_id and t.kind == "f64" and t.role is None), key=lambda t: t.id)


def read_history(conn: Connection, snapshot: Snapshot, asset_id: int, basis: Basis, settings: Settings) -> History:
    """What may be learned of the newest span at the live period, and the levels of all spans; raises TooLittle."""
    tags = learnable(snapshot, asset_id)
    closed = [barred(conn, snapshot, asset_id, span.start, span.end) for span in basis.spans]
    series = tuple(_series(conn, tag, basis, closed) for tag in tags)
    least = min((len(one.v) for one in series), default=0)
    if least < settings.min_training_samples:
        out = sum(int((one.edges[:, 1] - one.edges[:, 0]).sum()) for one in closed)
        why = f" ({out / 3_600_000:.1f} h are left out: under work, not running, starting up)" if out else ""
        raise TooLittle(f"{least} readings of the least-read tag; {settings.min_training_samples} are needed{why}")
    return History(tuple(tags), series, settings.aggregation_window_s, settings.n_estimators)


def _series(conn: Connection, tag: Tag, basis: Basis, closed: list[Spans]) -> Series:
    last = basis.spans[-1]
    joined = list(zip(basis.spans, closed, strict=True))[_first_joined(basis.spans) :]
    fine = newest([part for span, one in joined for part in free(one, span.start, span.end)], FINE_MS)
    t, v = good_readings(conn, tag.id, fine)
    every = [levels(conn, tag.id, span.start, span.end, one) for span, one in zip(basis.spans, closed, strict=True)]
    kept, t_kept = live_part(t, v)
    before = fine[0][0] if fine else last.start
    rest = [part for span, one in zip(basis.spans, closed, strict=True) for part in free(one, span.start, min(span.end, before))]
    wide_t, wide_v = _wide(conn, tag, rest, t_kept)
    level_v, level_t = np.concatenate([rows[:, :3] for _, rows in every]), np.concatenate([t for t, _ in every])
    return Series(t_kept, kept, level_v, level_t, wide_t, wide_v)


def _first_joined(spans: Sequence[Baseline]) -> int:
    """From here on the baselines follow each other closely: a short one that was added must not replace a long one."""
    return max((i for i in range(1, len(spans)) if spans[i].start - spans[i - 1].end > JOINED_MS), default=0)


def _wide(conn: Connection, tag: Tag, rest: list[tuple[int, int]], fine_t: Ints) -> tuple[Ints, Floats]:
    """(t, v) of pieces of the rest of the baseline, of those that were sampled as the newest part was."""
    pieces = [good_readings(conn, tag.id, [piece]) for piece in spread(rest, WIDE_STRETCHES, WIDE_MS)]
    usual = np.median(np.diff(fine_t)) if len(fine_t) > 1 else 0.0
    live = [(t, v) for t, v in pieces if len(t) > 1 and np.diff(t).min() > 0 and np.median(np.diff(t)) <= COARSE * usual]
    t, v = (np.concatenate([np.empty(0, kind), *(one[i] for one in live)]) for i, kind in ((0, np.int64), (1, np.float64)))
    return t, v


def live_part(t: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(v, t) of the last stretch that is sampled like the end: scales depend on the sampling period."""
    newer = np.r_[True, np.diff(t) > 0] if len(t) else np.zeros(0, bool)
    t, v = t[newer], v[newer]
    if len(t) < 60:
        return v, t
    intervals = np.diff(t)
    usual = np.median(intervals[-50:])
    slow = intervals > COARSE * usual
    # ten slow intervals in a row are another sampling period, fewer are a gap
    runs = np.convolve(slow, np.ones(10, np.int64), "valid") >= 10
    first = int(np.flatnonzero(runs)[-1]) + 10 if runs.any() else 0
    return v[first:], t[first:]


def learn(history: History, asset: Asset, snapshot: Snapshot, settings: Settings, *, provisional: bool, version: int | None) -> AssetModel:
    """Every detector's part of the model. Deterministic: the same history gives the same model."""
    channels = Channels(snapshot, history.tags[0].shard)
    learned = {name: row.make(channels, settings).learn(history) for name, row in DETECTORS.items() if row.learns}
    return AssetModel(
        asset=asset.id,
        tag_ids=tuple(tag.id for tag in history.tags),
        learned={name: arrays for name, arrays in learned.items() if arrays},
        version=version,
        provisional=provisional,
        baseline_hash=fingerprint(asset, list(history.tags), settings),
        learner=LEARNER,
    )


def describe(model: AssetModel, history: History, basis: Basis) -> dict[str, Any]:
    """What S2-44 keeps of a model version; its alarm rates are `ml.rehearsal`'s."""
    forest = model.learned.get("forest", {})
    return {
        "feature_set": FEATURE_SET,
        "learner": LEARNER,
        "baseline": [[span.start, span.end] for span in basis.spans],
        "baseline_hash": model.baseline_hash,
        "readings": sum(len(one.v) for one in history.series),
        "windows": int(forest["windows"][0]) if "windows" in forest else 0,
        "limit": float(forest["limit"][0]) if "limit" in forest else None,
        "trees": history.trees,
        "window_s": history.window_s,
        "seed": history.seed,
        "provisional": model.provisional,
        "detectors": sorted(model.learned),
    }


def train(
    conn: Connection, snapshot: Snapshot, asset_id: int, version: int, settings: Settings, progress: Progress | None = None
) -> dict[str, Any]:
    """Learn, keep as `version`, return its description; raises TooLittle or KeyError for an unknown asset.

    With `progress` the model is rehearsed too: how much of its own baseline, and of thirds it was not learned from, it alarms on.
    """
    asset = snapshot.asset_by_id()[asset_id]
    if not learnable(snapshot, asset_id):
        raise TooLittle("the asset has no tag to learn from")
    basis = basis_of(asset, now_ms())
    history = read_history(conn, snapshot, asset_id, basis, settings)
    if progress is not None:
        progress.at(1, f"learning from {sum(len(one.v) for one in history.series)} readings of {_tags(len(history.tags))}")
    model = learn(history, asset, snapshot, settings, provisional=basis.provisional, version=version or None)
    meta = {**describe(model, history, basis), "contamination": settings.anomaly_contamination}
    if progress is not None:
        meta |= rehearse(history, model, asset, settings, partial(learn, asset=asset, snapshot=snapshot, settings=settings), progress)
    save_model(conn, asset_id, version, model.baseline_hash, meta, seal_model(model, meta, signing_key(settings)))
    return meta


def _tags(number: int) -> str:
    return f"{number} tag" if number == 1 else f"{number} tags"


def train_asset(asset_id: int, version: int, job: int | str = "") -> dict[str, Any]:
    """The rq job: train a version that a person may activate; answers its metadata and reports on `signals`.

    A refusal (too little history, unknown asset) is an answer, not an error: {"refused": reason}.
    """
    settings = settings_module.load()
    settings_module.require(settings, "database_url", "redis_url")
    bus = Bus(connect(str(settings.redis_url)), settings.bus_prefix, settings.bus_max_mb)
    progress = Progress(bus, job, STEPS, asset=asset_id, version=version)
    progress.at(0, "reading the history")
    answer = _trained(progress, asset_id, version, settings)
    progress.end(str(answer.get("refused", "trained")), model=answer)
    return answer


def _trained(progress: Progress, asset_id: int, version: int, settings: Settings) -> dict[str, Any]:
    snapshot = progress.bus.config()
    if snapshot is None or asset_id not in snapshot.asset_by_id():
        return {"refused": f"asset {asset_id} is not in the published plant snapshot"}
    conn = psycopg2.connect(str(settings.database_url))
    try:
        meta = train(conn, snapshot, asset_id, version, settings, progress)
        conn.commit()
    except TooLittle as error:
        return {"refused": str(error)}
    finally:
        conn.close()
    return meta
