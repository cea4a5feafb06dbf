"""Few readings through the detectors of a shard, in plain numbers where nothing happens. What happens they judge in arrays.

The order is the engine's, detector after detector; what a reading is for is decided there and here alike, to the last bit
(tests/ml/test_one_by_one.py holds the two together).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ml.book import Book
from ml.detector import Detector, Noting, NotingMachine
from ml.detectors.gap import Gap
from ml.detectors.noise import Noise
from ml.detectors.range_ import Range
from ml.detectors.spike import Spike
from ml.gate import Gate
from ml.per_asset import PerAsset
from ml.plain import flags
from ml.scoring import RUNNING, Flags, Noted, Reading, Turn, chunk_of
from realtime.events import Finding

# Those that take what is neither a spike nor a fault of range, in the order of judgement.
CALM = ("residual", "drift", "shift", "cusum", "cva", "novelty")
# Those that take a spike too; the first two also what a machine at rest, or a silence before it, makes of a reading.
SOUND = ("range", "limits", "stuck", "spike", "forest")
ALWAYS = ("range", "limits")
Machines = Mapping[int, list[Noted]]  # by row of the asset


class Step(NamedTuple):
    """A detector's turn: its place in the order, and its rows with a finding, one a tag, or one a machine where `of_asset`."""

    at: int
    note: Callable[[int, int, float, float], bool]
    standing: memoryview[bool]
    of_asset: bool
    always: bool
    note_machine: Callable[[Sequence[Noted]], int] | None
    name: str


class Singly:
    """Judges rounds of few readings. waiting: flags by slot that hold a detector's word back while noise rises."""

    def __init__(
        self, gate: Gate, book: Book, detectors: Mapping[str, Detector], named: tuple[Gap, Range, Spike, Noise], waiting: list[Flags]
    ) -> None:
        self.gate, self.book, self.detectors = gate, book, detectors
        self.gap, self.range, self.spike, self.noise = named
        self.waiting = [flags(one) for one in waiting]
        self.steps = tuple(self._step(at, name) for at, name in enumerate(("range", "limits", "stuck", "spike", "noise", *CALM, "forest")))
        self.by_tag = tuple(step for step in self.steps if step.note_machine is None)
        self.by_machine = tuple(step for step in self.steps if step.note_machine is not None)
        self._beyond, self._suspect = flags(self.range.beyond), flags(self.spike.suspect)

    def _step(self, at: int, name: str) -> Step:
        detector = self.detectors[name]
        note = detector.note if isinstance(detector, Noting) else _never
        standing = self.book.standing[name]
        if name == "limits":  # several rows a tag, which are not at rest while a finding stands
            standing = np.zeros(len(self.gate.channels), bool)
        together = detector.note_machine if isinstance(detector, NotingMachine) else None
        if name == "noise":
            note = self._note_noise
        return Step(at, note, flags(standing), isinstance(detector, PerAsset), name in ALWAYS, together, name)

    def _note_noise(self, s: int, t: int, v: float, dt: float) -> bool:
        noted = self.noise.note(s, t, v, dt)
        if noted:
            self._wait(s)
        return noted

    def _wait(self, slot: int) -> None:
        rising = self.noise.is_rising(slot)
        for flag in self.waiting:
            flag[slot] = rising

    def judge(self, turn: Turn) -> list[Finding]:
        """Findings of a round, those that `Engine` makes of it in arrays."""
        found, scored = self._heard(turn), turn.scored
        several = _several(scored) if len(scored) > 1 else {}
        stopped: dict[int, int] = {}
        for one in scored:
            at = self._noted(one, self.by_tag if one[5] in several else self.steps)
            if at < len(self.steps):
                stopped[one[0]] = at
        if stopped:
            return found + self._judge(scored, stopped, several)
        for step in self.by_machine:
            left = _left(step, several)
            if left:
                found += self._in_arrays(step, [one for one in scored if one[0] in left])
        return found

    def alone(self, one: Reading, judged: bool) -> list[Finding]:
        """The same of one reading that `Gate.single` answers."""
        slot, t, _, _, fresh, asset, _, received = one
        found = [] if self.gap.hear(slot, asset, t, received, fresh) else self.book.fold("gap", self.gap.score(chunk_of([one])))
        at = self._noted(one, self.steps) if judged else len(self.steps)
        return found if at == len(self.steps) else found + self._judge([one], {slot: at}, {})

    def _noted(self, one: Reading, steps: tuple[Step, ...]) -> int:
        """The place of the first detector that does not take the reading in plain numbers; nearly always there is none."""
        slot, t, v, dt, fresh, asset, running, _ = one
        if fresh or running != RUNNING:
            return self._noted_odd(one, steps)
        for at, note, standing, of_asset, _, _, _ in steps:
            if standing[asset if of_asset else slot] or not note(slot, t, v, dt):
                return at
        return len(self.steps)

    def _noted_odd(self, one: Reading, steps: tuple[Step, ...]) -> int:
        """The same after a silence, or where the machine does not run and the windows restart."""
        slot, t, v, dt, fresh, _, running, _ = one
        for step in steps:
            if not step.always and running != RUNNING:
                self.gate.pause_one(slot)
                break
            if (fresh and not step.always) or step.standing[slot] or not step.note(slot, t, v, dt):
                return step.at
        return len(self.steps)

    def _judge(self, sound: list[Reading], stopped: Mapping[int, int], several: Machines) -> list[Finding]:
        """A round in which some readings, by slot, stopped at a detector; what is for whom is decided as in `Engine`."""
        found: list[Finding] = []
        for step in self.steps:
            todo = sound if step.name in SOUND else [one for one in sound if not self._suspect[one[0]]]
            alone = todo if step.note_machine is None else [one for one in todo if one[5] not in several]
            left = {one[0] for one in alone if stopped.get(one[0], len(self.steps)) <= step.at and self._noted(one, (step,)) == step.at}
            if step.note_machine is not None:
                here = {one[0] for one in todo}
                mine = {asset: [one for one in each if one[0] in here] for asset, each in several.items()}
                left |= _left(step, mine, {one[5] for one in todo if one[4]})
            if left:
                found += self._in_arrays(step, [one for one in todo if one[0] in left])
            if step.name == "range":
                sound = self._kept(sound, [not self._beyond[one[0]] for one in sound])
            elif step.name == "limits":
                sound = self._kept(sound, [one[6] == RUNNING for one in sound])
        return found

    def _heard(self, turn: Turn) -> list[Finding]:
        if turn.lost:
            self.gap.lose(np.array([one[0] for one in turn.lost]), np.array([one[7] for one in turn.lost]))
        hear = self.gap.hear
        missed = [one for one in turn.heard if not hear(one[0], one[5], one[1], one[7], one[4])]
        return self.book.fold("gap", self.gap.score(chunk_of(missed))) if missed else []

    def _kept(self, readings: list[Reading], keep: list[bool]) -> list[Reading]:
        """Those to keep; the windows of the others' tags restart."""
        for one, kept in zip(readings, keep, strict=True):
            if not kept:
                self.gate.pause_one(one[0])
        return [one for one, kept in zip(readings, keep, strict=True) if kept]

    def _in_arrays(self, step: Step, rest: list[Reading]) -> list[Finding]:
        found = self.book.fold(step.name, self.detectors[step.name].score(chunk_of(rest)))
        if step.name == "noise":
            for one in rest:
                self._wait(one[0])
        return found


def _never(s: int, t: int, v: float, dt: float) -> bool:
    return False


def _none(readings: Sequence[Noted]) -> int:
    return 0


def _several(readings: list[Reading]) -> Machines:
    """What came of the machines that run and of which several readings came."""
    found: dict[int, list[Noted]] = {}
    for slot, t, v, dt, _, asset, running, _ in readings:
        if running == RUNNING:
            found.setdefault(asset, []).append((slot, t, v, dt))
    return {asset: mine for asset, mine in found.items() if len(mine) > 1}


def _left(step: Step, machines: Machines, fresh: Collection[int] = ()) -> set[int]:
    """Slots of the readings that a detector of whole machines does not take in plain numbers; fresh: machines that it must not."""
    left: set[int] = set()
    note = step.note_machine or _none
    for asset, mine in machines.items():
        taken = 0 if not mine or step.standing[asset] or asset in fresh else note(mine)
        if taken < len(mine):
            left.update(one[0] for one in mine[taken:])
    return left
