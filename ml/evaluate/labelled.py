"""A labelled recording through every detector at once: which one would have told, when, and how often in vain."""

from __future__ import annotations

import csv
import io
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
LAST_MS = 253_402_300_799_999  # the end of the year 9999


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
    """CSV in UTF-8 with a heading: time, channels..., label (0 or 1); comma, or semicolon, with which numbers may have a decimal comma.

    Blank lines are passed over. Raises NotReadable with the line.
    """
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotReadable(f"{path}: not UTF-8 at byte {error.start}; save it as CSV UTF-8") from error
    mark = ";" if ";" in text.partition("\n")[0] else ","
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=mark)
    t, x, y, lines = [], [], [], []
    try:
        heading = [name.strip() for name in next(rows, [])]
        label, channels = _columns(path, heading)
        for row in rows:
            if any(cell.strip() for cell in row):
                cells = _cells(row, len(heading), mark)
                t.append(_ms(cells[0]))
                x.append([float(cells[i] or "nan") for i in channels])
                y.append(_is_fault(cells[label], heading[label]))
                lines.append(rows.line_num)
    except (ValueError, OverflowError, csv.Error) as error:
        raise NotReadable(f"{path}, line {rows.line_num}: {error}") from error
    if not t:
        raise NotReadable(f"{path}: no readings")
    at = np.array(t, np.int64)
    if (np.diff(at) <= 0).any():
        raise NotReadable(f"{path}, line {lines[int(np.argmax(np.diff(at) <= 0)) + 1]}: time does not go on")
    return Recording(at, np.array(x, np.float64), np.array(y, bool), tuple(heading[i] for i in channels))


def _columns(path: Path, heading: list[str]) -> tuple[int, list[int]]:
    """(column of the label, columns of the channels); raises NotReadable."""
    label = next((i for i, name in enumerate(heading) if name.lower() in LABELS), len(heading) - 1)
    channels = [i for i, name in enumerate(heading) if i not in {0, label} and name.lower() not in IGNORED]
    if not channels or label == 0:
        raise NotReadable(f"{path}: the heading needs a time, at least one channel and a label")
    return label, channels


def _cells(row: list[str], width: int, mark: str) -> list[str]:
    """Its cells, as numbers are written in Python; raises ValueError where they are not as many as the heading's."""
    if len(row) != width:
        raise ValueError(f"{len(row)} cells, and the heading has {width}")
    return [cell.strip().replace(",", ".") if mark == ";" else cell.strip() for cell in row]


def _is_fault(text: str, name: str) -> bool:
    if text and float(text) in {0.0, 1.0}:
        return float(text) == 1.0
    if name.lower() in LABELS:
        raise ValueError(f"the label is {text}, not 0 or 1")
    raise ValueError(f"{text} is no label, and no column is called label: then the last one, {name}, must hold 0 or 1")


def _ms(text: str) -> int:
    """Epoch seconds or milliseconds, or RFC 3339; without a zone it is UTC. Raises ValueError beyond the year 9999."""
    try:
        number = float(text)
    except ValueError:
        when = datetime.fromisoformat(text)
        return round((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * 1000)
    ms = number if number > 1e11 else number * 1000
    if not abs(ms) <= LAST_MS:
        raise ValueError(f"{text} is no time")
    return round(ms)


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
