"""One shard's monitor without any input or output: batches in, findings out, state as a value.

Deterministic: the same entries after the same state make the same findings with the same keys.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from ml.arrays import State, without
from ml.book import Book, Model
from ml.channels import Channels
from ml.detector import DETECTORS, Detector
from ml.detectors.drift import VDrift
from ml.detectors.gap import Gap
from ml.detectors.noise import Noise
from ml.detectors.range_ import Range
from ml.detectors.residual import Residual
from ml.detectors.shift import Shift
from ml.detectors.spike import Spike
from ml.fusion import DRIFT_PAGES, PAGES, steps
from ml.gate import Gate, Round
from ml.scoring import Learned, Turn, rows_of
from ml.singly import CALM, Singly
from realtime.events import Batch, Finding
from realtime.settings import Settings
from realtime.snapshot import Snapshot

T = TypeVar("T")
# Readings of a round up to which plain numbers are cheaper: some 270 us of numpy calls on short arrays are 25 readings in plain numbers.
# Measured over whole minutes at 10,000 tags with all detectors: 20 cost 14.4 us each in plain numbers and 15.5 in arrays, 25 13.1 and 13.7.
FEW = 24
LEARNED = frozenset(name for name, row in DETECTORS.items() if row.learns and name not in {"range", "stuck"})


@dataclass(frozen=True, slots=True)
class AssetModel:
    """What was learned of one asset, by detector; tag_ids run parallel to the rows of the arrays."""

    asset: int
    tag_ids: tuple[int, ...]
    learned: Mapping[str, Learned]
    version: int | None
    provisional: bool
    baseline_hash: str
    learner: str = ""  # feature set and libraries that made it


@dataclass(frozen=True, slots=True)
class EngineState:
    """Everything that a restart needs besides the models."""

    parts: dict[str, State]
    book: dict[str, Any]


class Engine:
    """The detectors of one shard under one plant snapshot."""

    def __init__(self, snapshot: Snapshot, shard: int, settings: Settings) -> None:
        self.settings = settings
        self.channels = Channels(snapshot, shard)
        self.gate = Gate(self.channels)
        self.detectors: dict[str, Detector] = {name: row.make(self.channels, settings) for name, row in DETECTORS.items()}
        # the ones that explain each other are also known by what they are
        self.gap, self.range = _one(self.detectors, Gap), _one(self.detectors, Range)
        self.spike, self.noise, self.drift = _one(self.detectors, Spike), _one(self.detectors, Noise), _one(self.detectors, VDrift)
        self.residual, self.shift = _one(self.detectors, Residual), _one(self.detectors, Shift)
        self.book = Book(self.channels, self.detectors, LEARNED, steps(settings.anomaly_warning, settings.anomaly_critical))
        named = (self.gap, self.range, self.spike, self.noise)
        self.singly = Singly(self.gate, self.book, self.detectors, named, [self.drift.suspect, self.residual.suspect, self.shift.suspect])
        self.models: dict[int, AssetModel] = {}
        self.few = FEW
        self.readings = 0

    def process(self, batches: Sequence[Batch]) -> list[Finding]:
        """Judge what arrived; batches in stream order. Few readings go their own, much cheaper way."""
        found: list[Finding] = []
        readings = sum(map(len, batches))
        alone = self.gate.single(batches[0]) if readings == 1 == len(batches) and self.few else None
        if alone is not None:
            self.readings += 1
            return self.singly.alone(*alone)
        if readings <= self.few:
            listed = self.gate.listed(batches)
            self.readings += len(listed)
            for turn in self.gate.turns(listed):
                found += self.singly.judge(turn)
            return found
        arrivals = self.gate.arrivals(batches)
        self.readings += len(arrivals.slots)
        for one in self.gate.rounds(arrivals):
            few = len(one.heard) <= self.few  # of many readings of few tags, as after an absence
            found += self.singly.judge(self._as_rows(one)) if few else self._judge(one)
        return found

    def _as_rows(self, one: Round) -> Turn:
        return Turn(*(rows_of(chunk, self.channels.asset) if chunk is not None else [] for chunk in (one.heard, one.scored, one.lost)))

    def _judge(self, one: Round) -> list[Finding]:
        d = self.detectors
        if one.lost is not None:
            self.gap.lose(one.lost.slots, one.lost.at)
        found = self.book.fold("gap", self.gap.score(one.heard))
        if not len(one.scored):
            return found
        found += self.book.fold("range", self.range.score(one.scored))
        out = self.range.outside(one.scored.slots)
        self.gate.pause(one.scored.slots[out])
        sound = one.scored.only(~out)
        found += self.book.fold("limits", d["limits"].score(sound))
        steady = self.gate.steady(sound)
        self.gate.pause(sound.slots[~steady])
        sound = sound.only(steady)
        found += self.book.fold("stuck", d["stuck"].score(sound))
        found += self.book.fold("spike", self.spike.score(sound))
        calm = sound.only(~self.spike.suspect[sound.slots])
        found += self.book.fold("noise", self.noise.score(calm))
        rising = self.noise.rising(calm.slots)
        for waiting in (self.drift, self.residual, self.shift):
            waiting.suspect[calm.slots] = rising
        for name in CALM:
            found += self.book.fold(name, d[name].score(calm))
        found += self.book.fold("forest", d["forest"].score(sound))
        return found

    def pages(self) -> list[Finding]:
        """The standing findings that ask for a person now; the others are for the watch list. Source: DESIGN.md 5."""
        standing = [(name, row, one.finding) for (name, row), one in self.book.open.items()]
        return [finding for name, row, finding in standing if name in PAGES or (name == "drift" and self._agreed(row, finding))]

    def _agreed(self, row: int, drift: Finding) -> bool:
        """A second witness stands beside drift; where shift watches the machine, residual is one only well beyond the limit."""
        if self.shift.is_active(row):
            return True
        beyond = not self.shift.known[row] or drift.score >= DRIFT_PAGES * drift.limit
        return beyond and self.residual.is_active(row)

    def tick(self, now: int) -> list[Finding]:
        """Judge silence and closed windows; call it when every entry of the stream has been read. now ms UTC."""
        found: list[Finding] = []
        for name, detector in self.detectors.items():
            found += self.book.fold(name, detector.tick(now))
        return found

    def load(self, model: AssetModel) -> None:
        """Put a model in force; a tag that it does not know stays without."""
        slots = self.channels.slots_of(np.array(model.tag_ids, np.uint32))
        if not model.provisional:
            self.drift.confirm(slots, model.learned.get("drift", {}))
        for name, learned in model.learned.items():
            if name in self.detectors:
                self.detectors[name].load(slots, learned)
        self.models[model.asset] = model
        self.book.models[model.asset] = Model(model.version, provisional=model.provisional)

    def unloaded(self, asset_id: int, now: int) -> tuple[Engine, list[Finding]]:
        """The same engine without what was learned of an asset, nor what that found: rules only."""
        new = Engine(self.channels.snapshot, self.channels.shard, self.settings)
        new.channels.version = self.channels.version
        for model in self.models.values():
            if model.asset != asset_id:
                new.load(model)
        mine = {str(tag.id) for tag in self.channels.tags if tag.asset == asset_id} | {f"a{asset_id}"}
        state = self.export()
        parts = {name: without(part, mine) if name in LEARNED else part for name, part in state.parts.items()}
        closed = new.adopt(EngineState(parts, state.book), now)
        new.readings = self.readings
        new.gap.start_listening(now)
        return new, closed

    def export(self) -> EngineState:
        """A copy of the state."""
        parts = {name: detector.export() for name, detector in self.detectors.items()}
        return EngineState({"gate": self.gate.export(), **parts}, self.book.export())

    def adopt(self, state: EngineState, now: int) -> list[Finding]:
        """Take a state over; findings are closes of what is no longer watched."""
        for name, part in state.parts.items():
            if name == "gate":
                self.gate.adopt(part)
            elif name in self.detectors:
                self.detectors[name].adopt(part)
        lost = np.flatnonzero(self.gate.lost)
        self.gap.lose(lost, self.gate.last_t[lost])
        return self.book.adopt(state.book, now)

    def start_listening(self, now: int) -> None:
        """This process took the shard over at `now`."""
        self.gap.start_listening(now)

    def reconfigured(self, snapshot: Snapshot, now: int) -> tuple[Engine, list[Finding]]:
        """The same engine under a new snapshot: what is unchanged keeps its state, models included."""
        if Channels(snapshot, self.channels.shard).same_plant(self.channels):
            self.channels.version = snapshot.version  # maintenance, baselines, sources: nothing that a detector knows
            return self, []
        return self._remade(snapshot, now)

    def with_model(self, model: AssetModel, now: int) -> tuple[Engine, list[Finding]]:
        """The same engine with a model in force, and nothing of what its asset was judged by before; findings as of `_remade`."""
        former = self.models.get(model.asset)
        self.load(model)
        if former is None or not _leaves(former, model):
            return self, self.book.abandon({model.asset}, now)
        new, closed = self._remade(self.channels.snapshot, now)
        new.channels.version = self.channels.version
        new.gap.live_at = self.gap.live_at  # nothing changed in what is listened to
        return new, closed

    def _remade(self, snapshot: Snapshot, now: int) -> tuple[Engine, list[Finding]]:
        """A new engine with this one's models and state, and the closes of what it does not watch or cannot judge any more."""
        new = Engine(snapshot, self.channels.shard, self.settings)
        for model in self.models.values():
            new.load(model)
        closed = new.adopt(self.export(), now) + new.book.abandon(new.models, now)
        new.readings = self.readings
        new.gap.start_listening(now)
        return new, closed


def _leaves(former: AssetModel, model: AssetModel) -> bool:
    """Something of the former model would stay in force where this one is only loaded over it: a whole part, or a tag of one."""
    if former.tag_ids != model.tag_ids:
        return True
    for name, was in former.learned.items():
        now = model.learned.get(name, {})
        if was.keys() - now.keys() or any(array.dtype == bool and (array & ~now[key]).any() for key, array in was.items()):
            return True
    return False


def _one(detectors: Mapping[str, Detector], kind: type[T]) -> T:
    return next(detector for detector in detectors.values() if isinstance(detector, kind))
