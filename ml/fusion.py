"""From scores to severities, and which finding explains which. Pure."""

from __future__ import annotations

from collections.abc import Collection

from realtime.events import Severity

BY_NUMBER = (Severity.ADVISORY, Severity.WARNING, Severity.CRITICAL)
ALWAYS_CRITICAL = frozenset({"range", "stuck"})
WARNING_RATIO, CRITICAL_RATIO = 1.5, 3.0

# A finding of the second kind is not opened while one of the first kinds stands on the same tag (or, for the forest, machine).
EXPLAINED_BY: dict[str, frozenset[str]] = {
    "spike": frozenset({"range", "noise", "stuck"}),
    "noise": frozenset({"range", "stuck"}),
    "stuck": frozenset({"range"}),
    "drift": frozenset({"range", "noise", "spike", "stuck"}),
    "cusum": frozenset({"range", "noise", "spike", "stuck", "limits", "drift"}),
    "cva": frozenset({"range", "noise", "spike", "stuck", "limits", "drift", "cusum", "gap"}),
    "residual": frozenset({"range", "noise", "spike", "stuck", "limits", "drift", "cusum", "gap"}),
    "novelty": frozenset({"range", "spike", "noise", "stuck", "limits", "drift", "cusum", "gap"}),
    "forest": frozenset({"range", "noise", "spike", "stuck", "limits", "drift", "cusum", "residual", "cva", "gap"}),
}
# Detectors of a whole machine whose alarm counts as a second kind for one of its tags, whether or not it has a finding of its own.
CONFIRMED_BY: dict[str, tuple[str, ...]] = {"drift": ("residual",), "cusum": ("residual",)}
EXPLAINED_MS = 60_000  # an explanation that is over still explains what lags behind it: windows are 30 s long
# Findings that page by themselves. Drift pages while its machine's residual is in alarm as well; everything else is for the
# watch list. Source: DESIGN.md 5, the alarm budget.
PAGES = frozenset({"range", "spike", "noise", "stuck", "limits", "gap"})


def severity(detector: str, ratio: float, kinds: int, given: int) -> Severity:
    """Severity of a finding: `given` (0..2) where the detector knows, else by score / limit and the kinds that agree.

    advisory above 1; warning above 1.5 or with two kinds; critical for range and stuck, or above 3. Source: ML.md 3.
    """
    if given >= 0:
        return BY_NUMBER[given]
    if detector in ALWAYS_CRITICAL or ratio > CRITICAL_RATIO:
        return Severity.CRITICAL
    if ratio > WARNING_RATIO or kinds >= 2:
        return Severity.WARNING
    return Severity.ADVISORY


def explained(detector: str, open_here: Collection[str]) -> bool:
    """True when a finding that stands already says what this one would."""
    return not EXPLAINED_BY.get(detector, frozenset()).isdisjoint(open_here)
