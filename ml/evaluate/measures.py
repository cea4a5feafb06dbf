"""What a row of alarms is worth against labels. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.scoring import Flags, Floats


@dataclass(frozen=True, slots=True)
class Measures:
    """F1 of readings; FAR, MAR in per cent of healthy and faulty readings; found of events; delay: median of the found, s;
    false_alarms: alarms that begin in health; missed_h: hours of fault without an alarm."""

    f1: float
    far: float
    mar: float
    found: int
    events: int
    delay_s: float
    false_alarms: int
    missed_h: float

    def cost(self, false_alarm: float, missed_hour: float) -> float:
        """In the unit of its arguments: what a useless walk to the machine and an hour of unseen fault cost."""
        return self.false_alarms * false_alarm + self.missed_h * missed_hour


def measured(seconds: Floats, label: Flags, alarm: Flags) -> Measures:
    """seconds float64 (n,) ascending; label, alarm bool (n,). An alarm that stands when a fault begins has delay 0."""
    hit, false = int((label & alarm).sum()), int((~label & alarm).sum())
    missed, quiet = int((label & ~alarm).sum()), int((~label & ~alarm).sum())
    starts = np.flatnonzero(np.diff(label.astype(np.int8), prepend=0) == 1)
    ends = np.flatnonzero(np.diff(label.astype(np.int8), append=0) == -1) + 1
    delays = [
        float(seconds[begin + int(alarm[begin:end].argmax())] - seconds[begin])
        for begin, end in zip(starts.tolist(), ends.tolist(), strict=True)
        if alarm[begin:end].any()
    ]
    began = np.diff(alarm.astype(np.int8), prepend=0) == 1
    period = float(np.median(np.diff(seconds))) if len(seconds) > 1 else 0.0
    return Measures(
        f1=2 * hit / max(2 * hit + false + missed, 1),
        far=100 * false / max(false + quiet, 1),
        mar=100 * missed / max(hit + missed, 1),
        found=len(delays),
        events=len(starts),
        delay_s=float(np.median(delays)) if delays else float("nan"),
        false_alarms=int((began & ~label).sum()),
        missed_h=missed * period / 3600,
    )
