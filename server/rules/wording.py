"""Words of alerts and orders: what is wrong and by how much, verb first on what is to be done. English; pages translate by type.

Values are written as the tag says (decimals, unit); minus is U+2212.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from realtime.events import AlertType

TITLE_MAX = 60
MODEL_DAMAGED = "model_damaged"  # code of a data gap that is none of the machine's: what was learned of it cannot be read
PACE_WORDS = {"rising": "rises", "falling": "falls"}  # code of a limit of change

_SYMPTOM = {
    "plc_write": "may hold a written value that nobody confirmed: look at it",
    "stuck": "stuck",
    "range": "out of signal range",
    "spike": "spikes",
    "noise": "noisy",
    "gap": "silent",
    "silence": "silent",
}


@dataclass(frozen=True, slots=True)
class Subject:
    """What an alert is about; label is the tag's word for people ("Vibration"), text the fault's from its table."""

    type: AlertType
    code: str | None
    asset: str
    tag: str | None = None
    label: str = ""
    unit: str = ""
    decimals: int = 2
    value: float | None = None
    limit: float | None = None
    text: str = ""


def number(value: float, decimals: int) -> str:
    """A value as people read it: fixed decimals, a thin space for thousands, a real minus."""
    return f"{value:,.{decimals}f}".replace(",", "\u2009").replace("-", "\u2212")


def quantity(value: float, decimals: int, unit: str) -> str:
    """A value with its unit."""
    return f"{number(value, decimals)} {unit}".rstrip()


def symptom(code: str | None) -> str:
    """The word for an instrument fault's code ("stuck"); the code itself where there is no better one."""
    if not code:
        return "signal fault"
    return next((word for part, word in _SYMPTOM.items() if part in code.lower()), code.replace("_", " "))


def _named(subject: Subject) -> str:
    return subject.label or subject.tag or subject.asset


def is_below(code: str | None, value: float | None, limit: float | None) -> bool:
    """Whether a crossed limit is a lower one: by its code; the value may be back on the other side, within the deadband."""
    if code:
        return "low" in code.lower()
    return value is not None and limit is not None and value < limit


def wall(code: str | None, said: str) -> str:
    """ "limit 7.10 mm/s"; of a limit of change "limit 7.10 mm/s per minute". said: the limit with its unit."""
    return f"limit {said} per minute" if code in PACE_WORDS else f"limit {said}"


def _pace(subject: Subject) -> str | None:
    """ "rises", "falls" where the limit is one of change."""
    return PACE_WORDS.get(subject.code or "")


def _rule_message(subject: Subject) -> str:
    pace = _pace(subject)
    if pace is not None:
        than = "its limit" if subject.limit is None else f"{quantity(subject.limit, subject.decimals, subject.unit)} per minute"
        return f"{_named(subject)} {pace} faster than {than}"
    side = "below" if is_below(subject.code, subject.value, subject.limit) else "above"
    if subject.limit is None:
        return f"{_named(subject)} {side} its limit"
    return f"{_named(subject)} {side} {quantity(subject.limit, subject.decimals, subject.unit)}"


def message(subject: Subject) -> str:
    """One line for an alert: "Vibration above 7.10 mm/s"."""
    named = _named(subject)
    lines = {
        AlertType.DRIFT: f"{named} drifts from its normal course",
        AlertType.ANOMALY: f"{subject.asset} behaves unlike its healthy baseline",
        AlertType.INSTRUMENT_FAULT: f"{subject.tag or named} {symptom(subject.code)}",
        AlertType.DATA_GAP: subject.text or f"{subject.tag or named} sends no data",
        AlertType.MACHINE_FAULT: f"Fault {subject.code}: {subject.text}".rstrip(": "),
        AlertType.SOURCE_LOST: f"Source {subject.code} lost",
        AlertType.CALIBRATION_OVERDUE: f"{subject.tag or named} calibration overdue",
    }
    return _rule_message(subject) if subject.type is AlertType.RULE_VIOLATION else lines[subject.type]


def came_back(subject: Subject, said: str) -> str:
    """Why the proof failed: "Vibration (M2.vibration) is back at 9.42 mm/s, limit 7.10 mm/s"; `said` is the alert's message."""
    return _told_again(subject, "is back at", f"Again: {said}")


def stayed(subject: Subject, said: str) -> str:
    """Why the proof failed where nothing changed: "Vibration (M2.vibration) is still at 9.42 mm/s, limit 7.10 mm/s"."""
    return _told_again(subject, "is still at", f"Still there: {said}")


def _told_again(subject: Subject, verb: str, else_: str) -> str:
    if not subject.tag or subject.value is None:
        return else_
    value = quantity(subject.value, subject.decimals, subject.unit)
    if subject.limit is None or _pace(subject) is not None:
        return f"{else_} ({subject.tag} {value})"
    label = subject.label[:1].upper() + subject.label[1:]
    named = f"{label} ({subject.tag})" if label and subject.label != subject.tag else f"Tag {subject.tag}"
    return f"{named} {verb} {value}, limit {quantity(subject.limit, subject.decimals, subject.unit)}"


def _rule_title(subject: Subject) -> str:
    named = _named(subject)
    if "vibration" in named.lower():
        return "Find and remove vibration"
    level = "low" if is_below(subject.code, subject.value, subject.limit) else "high"
    side = subject.code if subject.code in PACE_WORDS else level
    return f"Find cause of {side} {named[:1].lower()}{named[1:]}" if not named.isupper() else f"Find cause of {side} {named}"


def order_title(subject: Subject) -> str:
    """Verb first, at most 60 characters: "Check sensor PT-101 (stuck)"."""
    titles = {
        AlertType.DRIFT: f"Find cause of drift in {subject.tag or subject.asset}",
        AlertType.ANOMALY: f"Inspect {subject.asset} for unusual behaviour",
        AlertType.INSTRUMENT_FAULT: f"Check sensor {subject.tag or subject.asset} ({symptom(subject.code)})",
        AlertType.DATA_GAP: f"Restore {'model' if subject.code == MODEL_DAMAGED else 'data'} of {subject.tag or subject.asset}",
        AlertType.MACHINE_FAULT: f"Clear fault {subject.code} on {subject.asset}" + (f": {subject.text}" if subject.text else ""),
        AlertType.SOURCE_LOST: f"Restore connection to {subject.code}",
        AlertType.CALIBRATION_OVERDUE: f"Calibrate {subject.tag or subject.asset}",
    }
    title = _rule_title(subject) if subject.type is AlertType.RULE_VIOLATION else titles[subject.type]
    return title if len(title) <= TITLE_MAX else title[: TITLE_MAX - 1].rstrip() + "\u2026"


_SAYS_SO = {
    "limits": "Limit crossed",
    "range": "Outside the signal range",
    "stuck": "The value does not move",
    "spike": "Single values far off",
    "noise": "Far noisier than when healthy",
    "drift": "Model: away from its healthy course",
    "shift": "Model: the level moved within minutes as never when healthy",
    "cusum": "Model: a small shift that lasts",
    "residual": "Model: not what its last readings led to expect",
    "cva": "Model: its tags no longer move together as when healthy",
    "novelty": "Model: unlike anything it has shown before",
    "forest": "Model: a pattern not seen when healthy",
    "gap": "Nothing arrives",
    "plc": "Said by the PLC",
    "system": "Noticed by the system",
}


def agreement(detectors: Collection[str], *, has_rule: bool, has_model: bool) -> str:
    """Second line of an alert: who says so."""
    if has_rule and has_model:
        return "Limit and model agree"
    if len(detectors) > 1:
        return f"{len(detectors)} detectors agree"
    return next((_SAYS_SO.get(detector, detector) for detector in detectors), "")
