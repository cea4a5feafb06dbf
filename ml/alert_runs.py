"""Findings of one run of the engine as the alerts they would be: one for each time that (asset, tag, type, code) began. Pure.

How far an alert goes (watch list, alert, order) is the server's policy; here stands what that policy asks for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from realtime.events import AlertType, Finding, Severity

BY_MODEL = frozenset({AlertType.DRIFT, AlertType.ANOMALY})  # kinds that count as agreeing on a trouble
RANK = {Severity.ADVISORY: 0, Severity.WARNING: 1, Severity.CRITICAL: 2}
Identity = tuple[int, str | None, AlertType, str | None]


@dataclass(slots=True)
class Raised:
    """One alert of a run; times ms UTC, end None while it stands. peak: the greatest score / limit; detectors: those that agreed."""

    asset: int
    tag: str | None
    type: AlertType
    code: str | None
    detector: str
    start: int
    severity: Severity
    peak: float
    provisional: bool
    detectors: set[str]
    tags: frozenset[str]
    end: int | None = None
    keys: set[str] = field(default_factory=set)  # of its findings that stand

    @property
    def identity(self) -> Identity:
        """What makes two findings one alert."""
        return self.asset, self.tag, self.type, self.code

    def until(self, end: int) -> int:
        """When it ended, `end` of the run at the latest."""
        return end if self.end is None else self.end


class Ledger:
    """Folds findings in the order they were made; `raised` holds every alert of the run, by start."""

    def __init__(self) -> None:
        self.raised: list[Raised] = []
        self._standing: dict[Identity, Raised] = {}

    def fold(self, findings: Iterable[Finding]) -> None:
        """Fold edges in; a close without its open changes nothing."""
        for finding in findings:
            identity = (finding.asset, finding.tag, finding.type, finding.code)
            alert = self._standing.get(identity)
            if finding.edge == "close":
                if alert is not None:
                    self._close(alert, finding)
            elif alert is None:
                self._open(finding)
            else:
                self._worse(alert, finding)

    def _open(self, finding: Finding) -> None:
        tags = frozenset(share.tag for share in finding.because) | ({finding.tag} if finding.tag else frozenset())
        alert = Raised(
            finding.asset,
            finding.tag,
            finding.type,
            finding.code,
            finding.detector,
            finding.t,
            finding.severity,
            finding.score / finding.limit,
            finding.provisional,
            {finding.detector},
            tags,
            keys={finding.key},
        )
        self.raised.append(alert)
        self._standing[alert.identity] = alert
        self._agree(alert)

    def _agree(self, alert: Raised) -> None:
        if alert.type not in BY_MODEL:
            return
        for other in self._standing.values():
            if other is alert or other.asset != alert.asset or other.type not in BY_MODEL or not other.tags & alert.tags:
                continue
            if not other.provisional:
                alert.detectors |= other.detectors
            if not alert.provisional:
                other.detectors |= alert.detectors

    def _worse(self, alert: Raised, finding: Finding) -> None:
        alert.keys.add(finding.key)
        alert.peak = max(alert.peak, finding.score / finding.limit)
        alert.severity = max(alert.severity, finding.severity, key=RANK.__getitem__)
        alert.provisional = alert.provisional and finding.provisional

    def _close(self, alert: Raised, finding: Finding) -> None:
        alert.keys.discard(finding.key)
        if not alert.keys:
            alert.end = finding.t
            del self._standing[alert.identity]


SAME_MS = 60_000  # two runs' alerts so close are the same one


@dataclass(frozen=True, slots=True)
class Changes:
    """What one run raised and another did not; covered: ids of removed alerts in whose time the tag has another of the type."""

    added: list[Raised]
    removed: list[Raised]
    kept: list[Raised]
    covered: frozenset[int]


def changes(before: Iterable[Raised], after: Iterable[Raised], end: int) -> Changes:
    """Match the alerts of two runs one to one by identity and time, earliest first; `end` (ms UTC) of what still stands."""
    old, new = sorted(before, key=_by_start), sorted(after, key=_by_start)
    free: dict[Identity, list[Raised]] = {}
    for alert in new:
        free.setdefault(alert.identity, []).append(alert)
    kept, removed, taken = [], [], set[int]()
    for alert in old:
        match = next((one for one in free.get(alert.identity, []) if id(one) not in taken and _meet(alert, one, end)), None)
        if match is None:
            removed.append(alert)
        else:
            kept.append(alert)
            taken.add(id(match))
    covered = {id(one) for one in removed if any((o.tag, o.type) == (one.tag, one.type) and _meet(one, o, end) for o in new)}
    return Changes([one for one in new if id(one) not in taken], removed, kept, frozenset(covered))


def _by_start(alert: Raised) -> int:
    return alert.start


def _meet(a: Raised, b: Raised, end: int) -> bool:
    return a.start <= b.until(end) + SAME_MS and b.start <= a.until(end) + SAME_MS
