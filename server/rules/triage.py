"""Sensor or process (N-28): whether an alert is about the device that measures or about what is measured, and why. Pure.

Each piece of evidence has points, positive for the sensor, negative for the process; docs/health.md has the table. Their sum
decides, and nothing on less than two: "unknown" sends somebody to look, a wrong word sends the wrong crew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from realtime.events import AlertType
from server.rules.companions import FOLLOWS, MOVED, STILL
from server.rules.facts import Companion, Facts
from server.rules.wording import MODEL_DAMAGED, PACE_WORDS

DECIDES = 2
SIGNAL_FAULTS = {  # code of an instrument fault -> points, what the signal does
    "stuck": (4, "does not move at all; a real {what} is never that still"),
    "over_range": (4, "is beyond what the device can measure"),
    "under_range": (4, "is below what the device can measure"),
    "noise": (3, "is far noisier than when healthy"),
    "spike": (3, "jumps for single readings, faster than a {what} can"),
}
SHARE_SEVERAL, SHARE_ALONE = 0.2, 0.8
PAST_LEAST, PAST_MOST_SHARE = 3, 2 / 3


class Suspect(StrEnum):
    """Where to look."""

    SENSOR = "sensor"  # transmitter suspect
    PROCESS = "process"  # process change
    CONNECTION = "connection"  # neither: the data do not arrive
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Reason:
    """Points for the sensor (positive) or the process (negative), and the sentence that says why."""

    points: int
    text: str


DAMAGED = Reason(0, "What was learned cannot be read: that says nothing about the machine")
ALL_SILENT = Reason(0, "Nothing arrives from the whole machine or source: look at power, network and gateway")


@dataclass(frozen=True, slots=True)
class Triage:
    """Where to look, the sum of the points and the reasons, the weightiest first."""

    suspect: Suspect
    points: int
    reasons: tuple[Reason, ...]


def triage(facts: Facts) -> Triage:
    """Sensor from +DECIDES points, process from -DECIDES, else unknown; a loss of data of a whole machine or source is neither."""
    if facts.code == MODEL_DAMAGED:
        return Triage(Suspect.UNKNOWN, 0, (DAMAGED,))
    if facts.type is AlertType.SOURCE_LOST or (facts.type is AlertType.DATA_GAP and facts.signal is None):
        return Triage(Suspect.CONNECTION, 0, (ALL_SILENT,))
    reasons = [reason for reason in (*_of_the_alert(facts), *_of_companions(facts), *_of_the_instrument(facts)) if reason is not None]
    reasons = reasons or [_nothing_known(facts)]
    total = sum(reason.points for reason in reasons)
    ordered = tuple(sorted(reasons, key=lambda reason: -abs(reason.points)))
    return Triage(suspect_of(total), total, ordered)


def _nothing_known(facts: Facts) -> Reason:
    if facts.signal is None:
        return Reason(0, "Nothing points to a single signal")
    if not facts.companions:
        others = "The other signals of the machine have too few readings yet" if facts.others else "No other signal of the machine is there"
        return Reason(0, f"{others} to compare {facts.signal.named} with")
    if facts.signal.shows_condition:
        return Reason(0, f"{facts.signal.named} moved alone: wear shows there first, but a loose sensor looks the same")
    return Reason(0, "The other signals of the machine neither moved clearly nor stood still")


def suspect_of(points: int) -> Suspect:
    """The word of a sum."""
    return Suspect.SENSOR if points >= DECIDES else Suspect.PROCESS if points <= -DECIDES else Suspect.UNKNOWN


def _of_the_alert(facts: Facts) -> list[Reason | None]:
    return [_controller(facts), _signal_fault(facts), _limit(facts), _due(facts), _pattern(facts)]


def _controller(facts: Facts) -> Reason | None:
    if facts.type is not AlertType.MACHINE_FAULT:
        return None
    if facts.category == "instrument":
        return Reason(4, "The fault-code table puts this code under instrumentation")
    return Reason(-4, f"The machine's own controller reports {f'fault {facts.code}' if facts.code else 'a fault'}")


def _signal_fault(facts: Facts) -> Reason | None:
    if facts.signal is None or facts.type not in {AlertType.INSTRUMENT_FAULT, AlertType.DATA_GAP}:
        return None
    if facts.type is AlertType.DATA_GAP:
        return Reason(3, f"Only {facts.signal.named} is silent; the other signals of its source arrive")
    points, does = SIGNAL_FAULTS.get(facts.code or "", (3, "is not what a healthy device sends"))
    what = facts.signal.label.lower() if facts.signal.label and facts.signal.label != facts.signal.tag else "process value"
    at = f" ({facts.signal.said(facts.value)}{_end(facts)})" if facts.value is not None else ""
    return Reason(points, f"{facts.signal.named} {does.format(what=what)}{at}")


def _end(facts: Facts) -> str:
    if facts.code not in {"over_range", "under_range"} or facts.limit is None or facts.signal is None:
        return ""
    return f", its range ends at {facts.signal.said(facts.limit)}"


def _limit(facts: Facts) -> Reason | None:
    if facts.type is not AlertType.RULE_VIOLATION or facts.signal is None or facts.value is None or facts.limit is None:
        return None
    at = f"{facts.signal.named} is at {facts.signal.said(facts.value)}"
    how = "moves too fast" if facts.code in PACE_WORDS else "past its limit"
    return Reason(-1, f"{at}: {how}, but within what the device can measure")


def _due(facts: Facts) -> Reason | None:
    return Reason(2, "It is the device itself that is due for calibration") if facts.type is AlertType.CALIBRATION_OVERDUE else None


def _pattern(facts: Facts) -> Reason | None:
    """What only a model sees: spread over several signals it is the process, in one alone it may be its sensor."""
    if facts.type is not AlertType.ANOMALY or not facts.shares:
        return None
    several = [(signal, share) for signal, share in facts.shares if share >= SHARE_SEVERAL]
    if len(several) > 1:
        told = _names([f"{signal.named} {share:.0%}" for signal, share in several])
        return Reason(-2, f"The pattern spreads over several signals: {told}")
    signal, share = facts.shares[0]
    alone = share >= SHARE_ALONE and not signal.shows_condition and (facts.companions or len(facts.shares) > 1)  # of one signal, it is all
    return Reason(1, f"{share:.0%} of the pattern is in {signal.named} alone") if alone else None


def _of_companions(facts: Facts) -> list[Reason | None]:
    if facts.signal is None or facts.type is AlertType.DATA_GAP:
        return []
    if facts.type is AlertType.INSTRUMENT_FAULT:
        return [_common_cause(facts), _level(facts)]
    return [_together(facts), *_redundant(facts)]


def _common_cause(facts: Facts) -> Reason | None:
    if not facts.also_faulty:
        return None
    names = _names([signal.named for signal in facts.also_faulty])
    cause = "one cause for several devices (power, earth, wiring, the process)"
    return Reason(-3, f"{names} shows a fault of its signal at the same time: {cause}")


def _level(facts: Facts) -> Reason | None:
    """Companions that moved: for a stuck signal they speak against it, for one beyond its range they say the process went there."""
    moved = _moved(facts)
    if not moved:
        return None
    if facts.code == "stuck":
        return Reason(1, f"{_told(moved)} meanwhile, and {facts.signal.named if facts.signal else 'it'} did not")
    if facts.code in {"over_range", "under_range"}:
        return Reason(-2 - (len(moved) > 1), f"{_told(moved)} at the same time")
    return None


def _together(facts: Facts) -> Reason | None:
    moved = _moved(facts)
    alarmed = [signal for signal in facts.also_alarmed if signal.tag not in {companion.signal.tag for companion in moved}]
    count = len(moved) + len(alarmed)
    if not count:
        return None
    words = [_told(moved)] if moved else []
    words += [f"{_names([signal.named for signal in alarmed])} alarmed too"] if alarmed else []
    return Reason(-2 if count == 1 else -3, f"{' and '.join(words)} at the same time: several signals do not fail together")


def _redundant(facts: Facts) -> list[Reason | None]:
    """Signals that usually move with this one and stand still: it is alone with its story."""
    assert facts.signal is not None
    if facts.signal.shows_condition or _moved(facts) or facts.also_alarmed:
        return []
    still = [companion for companion in facts.companions if abs(companion.moved) <= STILL]
    vouching = [companion for companion in still if companion.follows is not None and abs(companion.follows) >= FOLLOWS]
    if vouching:
        first = max(vouching, key=lambda companion: abs(companion.follows or 0.0))
        how = f"usually moves with it (r = {first.follows:.2f} in the hour before)"
        return [Reason(2 + (len(vouching) > 1), f"{first.signal.named} {how} and stayed at {first.signal.said(first.now)}")]
    if len(still) >= 2:
        return [Reason(1, f"The {len(still)} other signals of the machine stayed where they were")]
    return []


def _of_the_instrument(facts: Facts) -> list[Reason | None]:
    known, (instrument, all_of_them) = facts.calibrated, facts.past
    reasons: list[Reason | None] = []
    if known is not None and known.failed:
        reasons.append(Reason(2, "Its last calibration left it out of tolerance"))
    elif known is not None and known.overdue and facts.type is not AlertType.CALIBRATION_OVERDUE:
        reasons.append(Reason(1, "Its calibration is overdue"))
    if known is not None and _grows(known.errors_pct):
        shown = ", ".join(f"{abs(error):.2f}" for error in known.errors_pct[-3:])
        reasons.append(Reason(1, f"Its as-found error grew from calibration to calibration ({shown} % of span)"))
    if all_of_them >= PAST_LEAST and facts.signal is not None:
        share = instrument / all_of_them
        points = 1 if share >= PAST_MOST_SHARE else -1 if share <= 1 - PAST_MOST_SHARE else 0
        if points:
            reasons.append(Reason(points, f"{instrument} of the last {all_of_them} orders on {facts.signal.tag} ended as instrumentation"))
    return reasons


def _grows(errors: Sequence[float]) -> bool:
    last = [abs(error) for error in errors[-3:]]
    return len(last) == 3 and last[0] < last[1] < last[2] and len({error > 0 for error in errors[-3:]}) == 1


def _moved(facts: Facts) -> list[Companion]:
    return sorted((one for one in facts.companions if abs(one.moved) >= MOVED), key=lambda one: -abs(one.moved))


def _told(moved: Sequence[Companion]) -> str:
    first, others = moved[0], moved[1:]
    rest = f", and {_names([one.signal.named for one in others])} too" if others else ""
    return f"{first.signal.named} moved from {first.signal.said(first.before)} to {first.signal.said(first.now)}{rest}"


def _names(names: Sequence[str]) -> str:
    shown = list(names[:3]) + ([f"{len(names) - 3} more"] if len(names) > 3 else [])
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
