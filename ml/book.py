"""The open findings of one shard: scores in, edges (open, update, close) out, with keys that a replay repeats.

Whether a row is in alarm is the detector's decision; what an alert becomes is the server's.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from ml.channels import Channels
from ml.detector import Detector, Taught
from ml.fusion import CONFIRMED_BY, EXPLAINED_MS, PATIENCE_MS, Steps, explained, severity
from ml.scoring import Score
from realtime.events import AlertType, Because, Edge, Finding, Severity

UPDATE_EVERY_MS = 10_000
FORGET_MS = 3_600_000  # closes are kept for longer than they explain anything: clocks of devices differ
RANK = {Severity.ADVISORY: 0, Severity.WARNING: 1, Severity.CRITICAL: 2}


@dataclass(frozen=True, slots=True)
class Model:
    """Which model speaks for an asset; version None = the monitor's own."""

    version: int | None
    provisional: bool


@dataclass(frozen=True, slots=True)
class Open:
    """A finding that stands. `finding` is the last one sent, `row_key` where it lives in its detector."""

    row_key: str
    finding: Finding


@dataclass(frozen=True, slots=True)
class Waiting:
    """An alarm since `t` (ms UTC), and where its newest score stands; score None after a restart, until the next one."""

    t: int
    score: Score | None = None
    i: int = 0


class Book:
    """Folds scores into findings. `models` by asset id; learned detectors speak in their name."""

    def __init__(self, channels: Channels, detectors: dict[str, Detector], learned: frozenset[str], steps: Steps | None = None) -> None:
        self.channels = channels
        self.steps = steps or Steps()
        self.detectors = detectors
        self.learned = learned
        self.models: dict[int, Model] = {}
        self.open: dict[tuple[str, int], Open] = {}
        self.waiting: dict[tuple[str, int], Waiting] = {}  # (detector, row) whose alarm has not stood long enough to be told
        self.closed: dict[tuple[str, int, str | None], int] = {}  # (detector, asset, tag) -> time of its last close
        self._asset_rows = {asset.id: row for row, asset in enumerate(channels.assets)}
        # rows that a score must be folded for although it is not in alarm
        self.standing = {name: np.zeros(len(d.row_keys()), bool) for name, d in detectors.items()}

    def fold(self, name: str, score: Score | None) -> list[Finding]:
        """Findings that this score makes; [] for nearly every score."""
        if score is None:
            return []
        marks = self.standing[name]
        found: list[Finding] = []
        for i in np.flatnonzero(score.active | marks[score.rows]).tolist():
            found += self._row(name, score, i)
        return found

    def _row(self, name: str, score: Score, i: int) -> list[Finding]:
        row = int(score.rows[i])
        standing = self.open.get((name, row))
        if standing is None:
            return self._begun(name, score, i) if score.active[i] else self._gone(name, row)
        now = self._finding(name, score, i, "close" if not score.active[i] else "update")
        if not score.active[i]:
            return [self._close(name, row, standing, now)]
        if (now.code, now.tag) != (standing.finding.code, standing.finding.tag):
            # another tag or another direction is another condition
            closed = ended(standing.finding, now.t)
            return [self._close(name, row, standing, closed), *self._maybe_open(name, score, i)]
        worse = RANK[now.severity] > RANK[standing.finding.severity]
        if not worse and now.t - standing.finding.t < UPDATE_EVERY_MS:
            return []
        kept = replace(
            now,
            key=standing.finding.key,
            t_onset=standing.finding.t_onset,
            severity=max(now.severity, standing.finding.severity, key=RANK.__getitem__),
        )
        self.open[name, row] = replace(standing, finding=kept)
        return [kept]

    def _begun(self, name: str, score: Score, i: int) -> list[Finding]:
        """An alarm without a finding: opened once its detector's patience is over."""
        row, t = int(score.rows[i]), int(score.t[i])
        if name in PATIENCE_MS:
            # what another finding explains, and the echo of it in smoothed values, is not yet a story of its own
            begins = (name, row) not in self.waiting or self._is_explained(name, score, i)
            since = t if begins else self.waiting[name, row].t
            self.waiting[name, row] = Waiting(since, score, i)
            self.standing[name][row] = True
            if t - since < PATIENCE_MS[name]:
                return []
        return self._maybe_open(name, score, i)

    def _gone(self, name: str, row: int) -> list[Finding]:
        """It was over before it was told."""
        self.waiting.pop((name, row), None)
        self.standing[name][row] = False
        return []

    def _witnesses(self, name: str, asset: int) -> list[Finding]:
        """What a finding of this detector is confirmed by is told with it, however young."""
        row, found = self._asset_rows[asset], list[Finding]()
        for other in CONFIRMED_BY.get(name, ()):
            waiting = self.waiting.get((other, row))
            if waiting is not None and waiting.score is not None:
                found += self._maybe_open(other, waiting.score, waiting.i)
        return found

    def _maybe_open(self, name: str, score: Score, i: int) -> list[Finding]:
        row = int(score.rows[i])
        if self._is_explained(name, score, i) or self._told_of_its_picture(name, int(score.slot[i])):
            return []
        witnesses = self._witnesses(name, self.channels.assets[self.detectors[name].asset_row(row)].id)
        self.waiting.pop((name, row), None)
        finding = self._finding(name, score, i, "open")
        self.open[name, row] = Open(self.detectors[name].row_keys()[row], finding)
        self.standing[name][row] = True
        return [*witnesses, finding]

    def _is_explained(self, name: str, score: Score, i: int) -> bool:
        """What was explained when it began stays explained for a while, although the explanation is over."""
        slot = int(score.slot[i])
        asset = self.channels.assets[self.detectors[name].asset_row(int(score.rows[i]))].id
        tag = None if slot < 0 else self.channels.tags[slot].name
        since = max(int(score.onset[i]), int(score.t[i]) - EXPLAINED_MS)
        over = {d for (d, a, t), at in self.closed.items() if a == asset and at >= since and (tag is None or t in (tag, None))}
        return explained(name, self._kinds(asset, tag) | over)

    def _told_of_its_picture(self, name: str, slot: int) -> bool:
        """A fault of the device that takes a picture shows in each of its statistics: one of them tells it."""
        if slot < 0 or not self.channels.tags[slot].virtual or self.detectors[name].type is not AlertType.INSTRUMENT_FAULT:
            return False
        picture = self.channels.tags[slot].name.rpartition(".")[0]
        standing = [one.finding.tag or "" for (other, _), one in self.open.items() if other == name]
        return any(tag.rpartition(".")[0] == picture for tag in standing)

    def _close(self, name: str, row: int, standing: Open, now: Finding) -> Finding:
        del self.open[name, row]
        self.closed[name, now.asset, now.tag] = now.t
        self.standing[name][row] = False
        was = standing.finding
        return replace(now, edge="close", key=was.key, tag=was.tag, code=was.code, t_onset=was.t_onset, severity=was.severity)

    def abandon(self, assets: Container[int], now: int) -> list[Finding]:
        """Close what stands on these assets and cannot be judged any more: what it was found by was taken away."""
        closed: list[Finding] = []
        for name, row in [*self.open, *self.waiting]:
            detector = self.detectors[name]
            if not isinstance(detector, Taught) or detector.judges(row) or self.channels.assets[detector.asset_row(row)].id not in assets:
                continue
            detector.give_up(row)
            standing = self.open.get((name, row))
            if standing is None:
                self._gone(name, row)
            else:
                closed.append(self._close(name, row, standing, ended(standing.finding, now)))
        return closed

    def _kinds(self, asset: int, tag: str | None) -> set[str]:
        """Detectors with a finding on the tag, or on any tag of the asset where tag is None."""
        return {name for (name, _), o in self.open.items() if o.finding.asset == asset and (tag is None or o.finding.tag in (tag, None))}

    def _confirming(self, name: str, asset: int) -> set[str]:
        """Detectors of the whole asset that are in alarm now and count as a second kind for this one."""
        row = self._asset_rows[asset]
        return {other for other in CONFIRMED_BY.get(name, ()) if self.detectors[other].is_active(row)}

    def _finding(self, name: str, score: Score, i: int, edge: Edge) -> Finding:
        detector = self.detectors[name]
        row, slot = int(score.rows[i]), int(score.slot[i])
        asset = self.channels.assets[detector.asset_row(row)].id
        tag = None if slot < 0 else self.channels.tags[slot].name
        code = detector.codes[int(score.code[i])]
        ratio = float(score.value[i] / score.limit[i])
        kinds = len(self._kinds(asset, tag) | {name} | self._confirming(name, asset))
        model = self.models.get(asset, Model(None, provisional=False)) if name in self.learned else Model(None, provisional=False)
        reading = float(score.reading[i])
        return Finding(
            key=f"{asset}:{tag or '-'}:{name}:{code}:{int(score.onset[i])}",
            edge=edge,
            asset=asset,
            tag=tag,
            type=detector.type,
            detector=name,
            t=int(score.t[i]),
            t_onset=int(score.onset[i]),
            severity=severity(name, ratio, kinds, int(score.severity[i]), self.steps),
            score=round(float(score.value[i]), 6),
            limit=round(float(score.limit[i]), 6),
            value=reading if np.isfinite(reading) else None,
            because=detector.because(row, slot),
            config_version=self.channels.version,
            code=code,
            model_version=model.version,
            provisional=model.provisional or (score.provisional is not None and bool(score.provisional[i])),
        )

    def export(self) -> dict[str, Any]:
        """The open findings, what waits, and when others closed, as plain values to be saved."""
        open_ = [{"detector": name, "row_key": o.row_key, "finding": asdict(o.finding)} for (name, _), o in self.open.items()]
        waiting = [[name, self.detectors[name].row_keys()[row], one.t] for (name, row), one in self.waiting.items()]
        newest = max(self.closed.values(), default=0)
        closed = [[*key, t] for key, t in self.closed.items() if t >= newest - FORGET_MS]
        return {"open": open_, "closed": closed, "waiting": waiting}

    def adopt(self, state: dict[str, Any], now: int) -> list[Finding]:
        """Take over open findings; those whose row is gone, or stands no longer, are closed."""
        self.closed.update({(str(d), int(a), tag): int(t) for d, a, tag, t in state["closed"]})
        closed: list[Finding] = []
        keys = {name: {key: i for i, key in enumerate(d.row_keys())} for name, d in self.detectors.items()}
        for raw in state["open"]:
            name, finding = str(raw["detector"]), finding_from(raw["finding"])
            row = keys.get(name, {}).get(str(raw["row_key"]))
            if row is None or not self.detectors[name].is_active(row):
                closed.append(ended(finding, now))
                continue
            self.open[name, row] = Open(str(raw["row_key"]), finding)
            self.standing[name][row] = True
        for name, key, t in state.get("waiting", ()):  # none in what an earlier version saved
            row = keys.get(name, {}).get(key)
            if row is not None and self.detectors[name].is_active(row):
                self.waiting[name, row] = Waiting(int(t))
                self.standing[name][row] = True
        return closed


def ended(finding: Finding, now: int) -> Finding:
    """Its close, ms UTC, which a score below the limit goes with."""
    return replace(finding, edge="close", t=now, score=min(finding.score, finding.limit * 0.999))


def finding_from(raw: dict[str, Any]) -> Finding:
    """The inverse of `asdict`."""
    because = tuple(Because(str(b["tag"]), float(b["share"])) for b in raw["because"])
    return Finding(**{**raw, "because": because, "type": AlertType(raw["type"]), "severity": Severity(raw["severity"])})
