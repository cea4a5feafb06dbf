"""The recommendation of an alert: sentences, verb first, that name the signal, its value and what to do (S3-12..15). English; pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from realtime.events import AlertType
from server.rules.facts import Companion, Signal
from server.rules.triage import Suspect
from server.rules.wording import MODEL_DAMAGED, PACE_WORDS, TITLE_MAX, is_below, symptom

ADVICE_MAX = 400
CREW = {
    Suspect.SENSOR: "Transmitter suspect: this is work for the instrument crew.",
    Suspect.PROCESS: "Process change: the reading is believable, look at the machine.",
    Suspect.CONNECTION: "No data: look at power, network and gateway before the machine.",
    Suspect.UNKNOWN: "",
}
_COMPARE = "Compare it with a second instrument before acting."
_COMPUTED = "Its computation, or the picture it is computed from, is suspect: no transmitter of its own is behind it."
_ON_SENSOR = {
    "stuck": "tap or re-power the transmitter, check that its line is open, and simulate a value at its input",
    "noise": "check shield, earth and terminals of its cable, and what was switched on nearby",
    "spike": "check terminals and plugs for a loose contact",
    "over_range": "check for a broken wire or a short circuit, then the range set in the transmitter",
    "under_range": "check for a broken wire and its supply, then the range set in the transmitter",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What the recommendation is about; `alone`: no other signal moved; text: the meaning of a machine's fault code."""

    type: AlertType
    code: str | None = None
    asset: str
    signal: Signal | None = None
    value: float | None = None
    limit: float | None = None
    suspect: Suspect = Suspect.UNKNOWN
    moved: tuple[Companion, ...] = ()
    still: int = 0  # other signals of the machine that stayed where they were
    text: str = ""
    because: tuple[tuple[Signal, float], ...] = ()  # tags of a joint finding with their share, largest first
    past: str = ""  # what similar orders turned out to be


def advise(subject: Subject) -> str:
    """At most ADVICE_MAX characters; the signal stands in the first sentence wherever the alert is about one."""
    doubts_computed = _is_computed(subject) and subject.suspect is Suspect.SENSOR
    parts = [_ACTS[subject.type](subject), _COMPUTED if doubts_computed else CREW[subject.suspect], _experience(subject)]
    words = " ".join(part for part in parts if part)
    return words if len(words) <= ADVICE_MAX else words[: ADVICE_MAX - 1].rstrip() + "\u2026"


def order_title(subject: Subject, usual: str) -> str:
    """Title of the order: `usual`; where the device is suspected of a wrong level, "Check transmitter PT-101 (drifts up)"."""
    doubted = _DOUBTED.get(subject.type)
    if doubted is None or subject.suspect is not Suspect.SENSOR or subject.signal is None or subject.signal.computed:
        return usual
    title = f"Check transmitter {subject.signal.tag} ({doubted(subject)})"
    return title if len(title) <= TITLE_MAX else title[: TITLE_MAX - 1].rstrip() + "\u2026"


def _is_computed(subject: Subject) -> bool:
    return subject.signal is not None and subject.signal.computed


def _picture(subject: Subject) -> str:
    return f"the picture of {subject.asset} that it is computed from"


def _named(subject: Subject) -> str:
    return subject.signal.named if subject.signal else subject.asset


def _side(subject: Subject) -> str:
    return "low" if is_below(subject.code, subject.value, subject.limit) else "high"


def _way(subject: Subject) -> str:
    return {"drift_high": "up", "cusum_high": "up", "drift_low": "down", "cusum_low": "down"}.get(subject.code or "", "away")


def _figures(subject: Subject) -> str:
    """ " at 9.42 mm/s, limit 7.10 mm/s"; empty without a value."""
    if subject.signal is None or subject.value is None:
        return ""
    wall = f", limit {subject.signal.said(subject.limit)}" if subject.limit is not None else ""
    return f" at {subject.signal.said(subject.value)}{wall}"


def _rule(subject: Subject) -> str:
    pace = PACE_WORDS.get(subject.code or "")
    if pace is not None:
        than = subject.signal.said(subject.limit) + " per minute" if subject.signal and subject.limit is not None else "its limit"
        return f"Find out why {_named(subject)} {pace} faster than {than}.{_with_it(subject)}"
    return f"Find out why {_named(subject)} is too {_side(subject)}:{_figures(subject) or ' past its limit'}.{_with_it(subject)}"


def _drift(subject: Subject) -> str:
    start = f"Find out why {_named(subject)} drifts {_way(subject)} from its normal course"
    return f"{start}{', now' + _figures(subject) if _figures(subject) else ''}.{_with_it(subject) or _alone(subject)}"


def _alone(subject: Subject) -> str:
    compare = f"Look at {_picture(subject)} before acting." if _is_computed(subject) else _COMPARE
    if subject.still < 2:
        return f" {compare}"
    return f" It moved alone, the {subject.still} other signals of {subject.asset} did not. {compare}"


def _with_it(subject: Subject) -> str:
    if not subject.moved:
        return ""
    first = subject.moved[0]
    course = f"from {first.signal.said(first.before)} to {first.signal.said(first.now)}"
    return f" {first.signal.named} moved too, {course}: start with what both share."


def _anomaly(subject: Subject) -> str:
    if not subject.because:
        return f"Inspect {subject.asset}: its signals together look unlike its healthy baseline."
    most = [f"{signal.named} {share:.0%}" for signal, share in subject.because[:3]]
    first = f"Inspect {subject.asset}, starting with {subject.because[0][0].named}"
    return f"{first}: the pattern is unlike the healthy baseline, most of it in {', '.join(most)}."


def _sensor(subject: Subject) -> str:
    if _is_computed(subject):
        start = f"Check {_named(subject)}, {symptom(subject.code)}{_figures(subject)}"
        return f"{start}: look at {_picture(subject)}, and whether new ones arrive. Do not control by this value meanwhile."
    todo = _ON_SENSOR.get(subject.code or "", "check the transmitter, its wiring and its supply")
    return f"Check sensor {_named(subject)}, {symptom(subject.code)}{_figures(subject)}: {todo}. Do not control by this value meanwhile."


def _gap(subject: Subject) -> str:
    if subject.code == MODEL_DAMAGED:
        return f"Activate another version of the model of {subject.asset}, or train one anew: until then only rules watch {subject.asset}."
    if subject.signal is None:
        return f"Restore the data of {subject.asset}: nothing arrives from it."
    if _is_computed(subject):
        return f"Restore {_named(subject)}: look whether {_picture(subject)} still arrives."
    return f"Restore the signal of {_named(subject)}: it is silent while the others of its source arrive. Check its wiring and supply."


def _machine_fault(subject: Subject) -> str:
    meaning = f" ({subject.text})" if subject.text else ""
    return f"Clear fault {subject.code or ''}{meaning} at the controller of {subject.asset} once its cause is gone."


def _source_lost(subject: Subject) -> str:
    return f"Restore the connection to {subject.code or subject.asset}: check its power, the network and the gateway."


def _calibration(subject: Subject) -> str:
    return f"Calibrate {_named(subject)}: until then its readings and the alerts on them are worth less."


def _experience(subject: Subject) -> str:
    return subject.past


# What alarmed is a level, which a wrong transmitter shows as well: in a word for the title.
_DOUBTED: dict[AlertType, Callable[[Subject], str]] = {
    AlertType.RULE_VIOLATION: lambda subject: PACE_WORDS.get(subject.code or "") or _side(subject),
    AlertType.DRIFT: lambda subject: f"drifts {_way(subject)}",
    AlertType.ANOMALY: lambda _: "unlike its machine",
}
_ACTS = {
    AlertType.RULE_VIOLATION: _rule,
    AlertType.DRIFT: _drift,
    AlertType.ANOMALY: _anomaly,
    AlertType.INSTRUMENT_FAULT: _sensor,
    AlertType.DATA_GAP: _gap,
    AlertType.MACHINE_FAULT: _machine_fault,
    AlertType.SOURCE_LOST: _source_lost,
    AlertType.CALIBRATION_OVERDUE: _calibration,
}
