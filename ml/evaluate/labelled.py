"""A labelled recording through every detector at once: which one would have told, when, and how often in vain."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from ml.evaluate.measures import Measures, measured
from ml.evaluate.replayer import EngineReplay, rig
from ml.scoring import Flags, Floats, Ints
from realtime.errors import SightlineError

LABELS = ("label", "anomaly")
IGNORED = frozenset({"changepoint"})
TRAIN_SHARE = 0.3
LEAST_TRAIN = 60


class NotReadable(SightlineError):
    """The file is not a labelled recording."""


@dataclass(frozen=True, slots=True)
class Recording:
    """t int64 (n,) ms UTC ascending, x float64 (n, c) with NaN for no reading, label bool (n,), names of the channels."""

    t: Ints
    x: Floats
    label: Flags
    names: tuple[str, ...]


def read(path: Path) -> Recording:
    """CSV with a heading: time, channels..., label (0 or 1); comma or semicolon. Raises NotReadable with the line."""
    text = path.read_text("utf-8-sig").splitlines()
    if len(text) < 2:
        raise NotReadable(f"{path}: no readings")
    rows = csv.reader(text, delimiter=";" if ";" in text[0] else ",")
    heading = [name.strip() for name in next(rows)]
    label = next((i for i, name in enumerate(heading) if name.lower() in LABELS), len(heading) - 1)
    channels = [i for i, name in enumerate(heading) if i not in {0, label} and name.lower() not in IGNORED]
    if not channels or label == 0:
        raise NotReadable(f"{path}: the heading needs a time, at least one channel and a label")
    t, x, y = [], [], []
    for number, row in enumerate(rows, start=2):
        try:
            t.append(_ms(row[0]))
            x.append([float(row[i]) if row[i].strip() else np.nan for i in channels])
            y.append(float(row[label]) > 0)
        except (ValueError, IndexError) as error:
            raise NotReadable(f"{path}, line {number}: {error}") from error
    at = np.array(t, np.int64)
    if (np.diff(at) <= 0).any():
        raise NotReadable(f"{path}, line {int(np.flatnonzero(np.diff(at) <= 0)[0]) + 3}: time does not go on")
    return Recording(at, np.array(x, np.float64), np.array(y, bool), tuple(heading[i] for i in channels))


def _ms(text: str) -> int:
    """Epoch seconds or milliseconds, or RFC 3339; without a zone it is UTC."""
    try:
        number = float(text)
    except ValueError:
        when = datetime.fromisoformat(text)
        return round((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * 1000)
    return round(number if number > 1e11 else number * 1000)


def compared(recording: Recording, train: int | None = None) -> dict[str, Measures]:
    """Measures by detector, of the readings after the train part: what pages, each detector's own alarm, an alarm that is always on.

    train: readings to learn from, 30 % when None; raises NotReadable where one of them is labelled a fault.
    """
    n = round(TRAIN_SHARE * len(recording.t)) if train is None else train
    if not LEAST_TRAIN <= n < len(recording.t):
        raise NotReadable(f"{n} readings to learn from: at least {LEAST_TRAIN} are needed, and some must be left to judge")
    if recording.label[:n].any():
        raise NotReadable(f"reading {int(recording.label.argmax()) + 1} is labelled and would be learned from; give a shorter --train")
    period_s = float(np.median(np.diff(recording.t))) / 1000
    replay = EngineReplay(rig(recording.x[:n], period_s=period_s, t=recording.t[:n]))
    detectors = replay.engine.detectors
    alarms: dict[str, list[bool]] = {"pages": [], **{name: [] for name in detectors}}
    for t, row in zip(recording.t[n:].tolist(), recording.x[n:], strict=True):
        replay.step(row, t)
        alarms["pages"].append(bool(replay.engine.pages()))
        for name, one in detectors.items():
            alarms[name].append(any(one.is_active(i) for i in range(len(one.row_keys()))))
    seconds, label = recording.t[n:] / 1000, recording.label[n:]
    found = {name: measured(seconds, label, np.array(flags, bool)) for name, flags in alarms.items()}
    return {**found, "always on": measured(seconds, label, np.ones(len(label), bool))}
