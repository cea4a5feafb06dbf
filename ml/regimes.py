"""What a machine does (running, starting, idle, stopped) from its state tags: decides what is judged and what is learned. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan

import numpy as np
import numpy.typing as npt

from ml.scoring import IDLE, RUNNING, STOPPED, UNKNOWN, Floats, Ints
from realtime.snapshot import Asset, Source, Tag

START_UP_S = 10.0  # after a start, where the class of the machine says nothing
STATUS_WORDS = {0: "stopped", 1: "running", 2: "idle", 3: "fault"}  # as in plc/state.py; a source may bring its own

Regimes = npt.NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Condition:
    """Which tag says that a machine runs: tag None = it always does. Where `words` is empty the tag is a bit."""

    tag: int | None = None
    idle: int | None = None  # the bit that tells idle from stopped
    words: tuple[tuple[int, int], ...] = ()  # status word -> regime
    start_up_s: float = START_UP_S


ALWAYS = Condition()


def conditions(assets: Sequence[Asset], tags: Sequence[Tag], sources: Sequence[Source]) -> list[Condition]:
    """The running condition of each asset, from its class (`Asset.runs_by`) and the state tags it really has."""
    roles: dict[int, dict[str, Tag]] = {}
    for tag in tags:
        if tag.role is not None and tag.enabled:
            roles.setdefault(tag.asset, {})[tag.role] = tag
    configs = {source.name: source.config for source in sources}
    return [_condition(asset, roles.get(asset.id, {}), configs) for asset in assets]


def _condition(asset: Asset, roles: Mapping[str, Tag], configs: Mapping[str, Mapping[str, object]]) -> Condition:
    wanted = ("running", "status") if asset.runs_by == "auto" else (asset.runs_by, "running", "status")
    tag = None if asset.runs_by == "always" else next((roles[role] for role in wanted if role in roles), None)
    if tag is None:
        return ALWAYS
    start_up_s = START_UP_S if asset.start_up_s is None else asset.start_up_s
    if tag.role == "status":
        raw = configs.get(tag.source or "", {}).get("status")
        words = {int(k): str(v) for k, v in raw.items()} if isinstance(raw, Mapping) and raw else STATUS_WORDS
        names = {"running": RUNNING, "idle": IDLE}
        return Condition(tag.id, None, tuple(sorted((k, names.get(v, STOPPED)) for k, v in words.items())), start_up_s)
    idle = roles.get("idle")
    return Condition(tag.id, idle.id if idle is not None and idle is not tag else None, (), start_up_s)


def regime(condition: Condition, value: Floats, idle: Floats) -> Regimes:
    """int8 (n,) of values of the state tag and the idle bit, NaN where unknown; start-up is the caller's: it takes time."""
    found = np.where(value != 0, RUNNING, STOPPED)
    if condition.words:
        found = np.full(len(value), UNKNOWN)
        for word, meaning in condition.words:
            found[value == word] = meaning
    found = np.where((found == STOPPED) & (idle > 0), IDLE, found)
    return np.where(np.isnan(value), UNKNOWN, found).astype(np.int8)


def regime_of(words: Mapping[float, int], value: float, idle: float) -> int:
    """The same of one value: words of the condition, empty where the tag is a bit."""
    if isnan(value):
        return UNKNOWN
    found = words.get(value, UNKNOWN) if words else RUNNING if value != 0 else STOPPED
    return IDLE if found == STOPPED and idle > 0 else found


@dataclass(frozen=True, slots=True)
class Spans:
    """Stretches of time, int64 (n, 2) ms UTC, start included and end not; ascending, none touching another."""

    edges: npt.NDArray[np.int64]

    def holds(self, t: Ints) -> npt.NDArray[np.bool_]:
        """bool (n,): which times lie in one of them."""
        at = np.searchsorted(self.edges[:, 0], t, side="right") - 1
        inside: npt.NDArray[np.bool_] = (at >= 0) & (t < self.edges[np.maximum(at, 0), 1]) if len(self.edges) else np.zeros(len(t), bool)
        return inside

    def touch(self, start: Ints, end: Ints) -> npt.NDArray[np.bool_]:
        """bool (n,): which of the stretches [start, end) share a moment with one of them."""
        if not len(self.edges):
            return np.zeros(len(start), bool)
        before = np.searchsorted(self.edges[:, 0], end, side="left") - 1  # the last that begins before the end
        touched: npt.NDArray[np.bool_] = (before >= 0) & (self.edges[np.maximum(before, 0), 1] > start)
        return touched


def spans(pairs: Sequence[tuple[int, int]]) -> Spans:
    """The union of any stretches."""
    merged: list[list[int]] = []
    for start, end in sorted(pair for pair in pairs if pair[1] > pair[0]):
        if merged and start <= merged[-1][1]:
            merged[-1][1] = max(end, merged[-1][1])
        else:
            merged.append([start, end])
    return Spans(np.array(merged, np.int64).reshape(-1, 2))


def not_running(condition: Condition, t: Ints, value: Floats, start: int, end: int) -> list[tuple[int, int]]:
    """Stretches of [start, end) in which the machine did not run steadily, by samples (n,) of its state tag, ascending.

    A sample holds until the next one; before the first one nothing is known. After a start `start_up_s` are left out. Without
    any sample its state was never recorded, and nothing is left out.
    """
    if not len(t):
        return []
    known = regime(condition, value, np.full(len(value), np.nan))
    runs = known == RUNNING
    found = [(start, int(t[0]))]
    edges = np.append(t, max(end, int(t[-1])))
    changed = np.flatnonzero(np.append(True, runs[1:] != runs[:-1]))
    for first, last in zip(changed.tolist(), [*changed[1:].tolist(), len(t)], strict=True):
        began, over = int(edges[first]), int(edges[last])
        if not runs[first]:
            found.append((began, over))
        elif first > 0 or began > start:
            found.append((began, min(over, began + round(condition.start_up_s * 1000))))
    return [(max(a, start), min(b, end)) for a, b in found if min(b, end) > max(a, start)]
