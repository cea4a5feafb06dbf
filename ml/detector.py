"""The detector protocol and the one table of detectors.

A detector is one method over all tags of a shard at once; its state is arrays. It decides about its own rows only:
what becomes of scores (severity, findings, life cycle) is `ml.fusion` and `ml.book`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from ml.arrays import State
from ml.channels import Channels
from ml.detectors.cusum import Cusum
from ml.detectors.cva import Cva
from ml.detectors.drift import VDrift
from ml.detectors.forest import Forest
from ml.detectors.gap import Gap
from ml.detectors.limits import Limits
from ml.detectors.noise import Noise
from ml.detectors.novelty import Novelty
from ml.detectors.range_ import Range
from ml.detectors.residual import Residual
from ml.detectors.shift import Shift
from ml.detectors.spike import Spike
from ml.detectors.stuck import Stuck
from ml.scoring import Chunk, History, Ints, Learned, Noted, Score
from realtime.events import AlertType, Because
from realtime.settings import Settings


class Detector(Protocol):
    """High always means anomalous; a row that is not ready is not in the Score, and None means no row is."""

    @property
    def name(self) -> str:
        """Its name in the table and in findings."""
        ...

    @property
    def type(self) -> AlertType:
        """What its findings are to the server."""
        ...

    @property
    def codes(self) -> tuple[str, ...]:
        """Codes of its findings; `Score.code` indexes them."""
        ...

    def learn(self, history: History) -> Learned:
        """What to know of one asset; pure, changes nothing here. Empty where there is too little to learn from."""
        ...

    def load(self, slots: Ints, learned: Learned) -> None:
        """Put in force what `learn` returned; slots int64: where its tags are now, -1 for those that are gone."""
        ...

    def score(self, chunk: Chunk) -> Score | None:
        """Fold readings in and judge the rows they touch."""
        ...

    def tick(self, now: int) -> Score | None:
        """Judge what time alone decides (silence, a window's end); now ms UTC."""
        ...

    def row_keys(self) -> list[str]:
        """A stable key per row: findings and their life cycle hang on it."""
        ...

    def is_active(self, row: int) -> bool:
        """The alarm of this row stands."""
        ...

    def asset_row(self, row: int) -> int:
        """The row in `Channels.assets` that a row of this detector is about."""
        ...

    def because(self, row: int, slot: int) -> tuple[Because, ...]:
        """Shares of the tags in the row's score, largest first; they add up to 1."""
        ...

    def export(self) -> State:
        """A copy of the state."""
        ...

    def adopt(self, state: State) -> None:
        """Take over the rows that are still here."""
        ...


@runtime_checkable
class Noting(Protocol):
    """A detector that also takes one ordinary reading in without numpy: a call on arrays of one costs 20 to 100 us, this about one."""

    def note(self, s: int, t: int, v: float, dt: float) -> bool:
        """Do what `score` does with a reading of slot s that is not fresh, where that neither begins nor ends nor keeps up an alarm.

        False, and nothing changed, where it might: then `score` must judge it. Never asked while a finding stands on the row.
        """
        ...


@runtime_checkable
class NotingMachine(Noting, Protocol):
    """One that judges a machine by all of its tags, and therefore wants all of its readings at once."""

    def note_machine(self, readings: Sequence[Noted]) -> int:
        """`note` of one machine's readings, at most one a tag, as one `score` of all would; how many it took, from the first on.

        The others `score` must judge, after those. Never asked while one of them is fresh or a finding stands on the machine.
        """
        ...


@runtime_checkable
class Taught(Protocol):
    """A detector that judges by what it learned alone."""

    def judges(self, row: int) -> bool:
        """There is something to judge this row's alarm by; without it a standing one would never end."""
        ...

    def give_up(self, row: int) -> None:
        """End this row's alarm, which nothing judges any more."""
        ...


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: `learns` says whether it needs a baseline."""

    make: Callable[[Channels, Settings], Detector]
    learns: bool


# In the order of judgement: what a detector explains, a later one need not name again.
DETECTORS: dict[str, Row] = {
    "range": Row(Range, learns=True),
    "spike": Row(Spike, learns=True),
    "noise": Row(Noise, learns=True),
    "stuck": Row(Stuck, learns=True),
    "limits": Row(Limits, learns=False),
    "residual": Row(Residual, learns=True),
    "drift": Row(VDrift, learns=True),
    "shift": Row(Shift, learns=True),
    "cusum": Row(Cusum, learns=True),
    "gap": Row(Gap, learns=False),
    "cva": Row(Cva, learns=True),
    "novelty": Row(Novelty, learns=True),
    "forest": Row(Forest, learns=True),
}
