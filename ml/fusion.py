"""From scores to severities, and which finding explains which. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from realtime.events import Severity

BY_NUMBER = (Severity.ADVISORY, Severity.WARNING, Severity.CRITICAL)
ALWAYS_CRITICAL = frozenset({"range", "stuck"})

# A finding of the second kind is not opened while one of the first kinds stands on the same tag (or, for the forest, machine).
EXPLAINED_BY: dict[str, frozenset[str]] = {
    "spike": frozenset({"range", "noise", "stuck"}),
    "noise": frozenset({"range", "stuck"}),
    "stuck": frozenset({"range"}),
    "drift": frozenset({"range", "noise", "spike", "stuck"}),
    "shift": frozenset({"range", "noise", "spike", "stuck", "drift"}),
    "cusum": frozenset({"range", "noise", "spike", "stuck", "limits", "drift", "shift"}),
    "cva": frozenset({"range", "noise", "spike", "stuck", "limits", "drift", "shift", "cusum", "gap"}),
    "residual": frozenset({"range", "noise", "spike", "stuck", "limits", "drift", "shift", "cusum", "gap"}),
    "novelty": frozenset({"range", "spike", "noise", "stuck", "limits", "drift", "shift", "cusum", "gap"}),
    "forest": frozenset({"range", "noise", "spike", "stuck", "limits", "drift", "shift", "cusum", "residual", "cva", "gap"}),
}
# Detectors of a whole machine whose alarm counts as a second kind for one of its tags, whether or not it has a finding of its own.
CONFIRMED_BY: dict[str, tuple[str, ...]] = {"drift": ("residual",), "cusum": ("residual",)}
# How long an alarm of these must stand before it is told: what is over sooner nobody can look at any more, and within that time the
# detectors that know a name for it have spoken. As a witness (CONFIRMED_BY) it counts at once. Measured: bench/alarm_budget.py.
PATIENCE_MS: dict[str, int] = {"residual": 300_000, "cva": 300_000, "forest": 300_000}
EXPLAINED_MS = 60_000  # an explanation that is over still explains what lags behind it: windows are 30 s long
# Findings that page by themselves. Drift pages while its machine's residual or shift is in alarm as well; everything else is for
# the watch list. Source: DESIGN.md 5, the alarm budget.
PAGES = frozenset({"range", "spike", "noise", "stuck", "limits", "gap", "shift"})
DRIFT_PAGES = 1.25  # limits: what stands nearer to drift's limit, shift sees as well or nobody needs to


@dataclass(frozen=True, slots=True)
class Steps:
    """score / limit above which a finding is a warning, and above which it is critical."""

    warning: float = 1.5
    critical: float = 3.0


def steps(warning: float, critical: float) -> Steps:
    """Of ANOMALY_WARNING_THRESHOLD and ANOMALY_CRITICAL_THRESHOLD, which are in [0, 1]: 1.5 at 0.5, and each 0.2 more doubles it.

    Scores have no upper end, those thresholds have: this scale puts their usual values, 0.5 and 0.7, on the 1.5 and 3 of ML.md 3.
    """
    return Steps(*(round(1.5 * 2 ** ((threshold - 0.5) / 0.2), 9) for threshold in (warning, critical)))


def severity(detector: str, ratio: float, kinds: int, given: int, at: Steps) -> Severity:
    """Severity of a finding: `given` (0..2) where the detector knows, else by score / limit and the kinds that agree.

    advisory above 1; warning above its step or with two kinds; critical for range and stuck, or above its step. Source: ML.md 3.
    """
    if given >= 0:
        return BY_NUMBER[given]
    if detector in ALWAYS_CRITICAL or ratio > at.critical:
        return Severity.CRITICAL
    if ratio > at.warning or kinds >= 2:
        return Severity.WARNING
    return Severity.ADVISORY


def explained(detector: str, open_here: Collection[str]) -> bool:
    """True when a finding that stands already says what this one would."""
    return not EXPLAINED_BY.get(detector, frozenset()).isdisjoint(open_here)
