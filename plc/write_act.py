"""One guarded write at the PLC: look, write once, look again; a pulse also goes back. Knows no bus and no permission.

Whatever goes wrong after the request left is told as unknown unless the PLC itself says otherwise; nothing is sent a second time,
but for the way back of a pulse, which is rest.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from plc.addressing.write_list import WriteEntry, WriteSource
from plc.connector import KINDS, LinkError, Writer, WriteRefused
from realtime.errors import SightlineError
from realtime.plc_writes import Outcome

RESET_TRIES = 5
RESET_WAIT_S = 0.5
REST = 0.0


class Refusal(SightlineError):
    """Not written, and why: a code and a sentence."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Found:
    """What came of it, as `realtime.plc_writes.WriteResult` tells it."""

    outcome: Outcome
    reason: str
    detail: str
    old: float | None = None
    new: float | None = None
    alarm: bool = False


@dataclass(frozen=True, slots=True)
class Deed:
    """What to write where. last_word: called right before the request leaves; raises Refusal. mark: a pulse begins (True), has ended."""

    entry: WriteEntry
    source: WriteSource
    value: float
    last_word: Callable[[], None]
    mark: Callable[[bool], None]
    pause: Callable[[float], None] = time.sleep

    def opened(self) -> Writer:
        """A fresh connection; raises LinkError."""
        writer = KINDS[self.source.kind].load_writer()(self.source.connection)
        writer.open()
        return writer


def carry_out(deed: Deed) -> Found:
    """Do it; raises Refusal where nothing was sent."""
    try:
        writer = deed.opened()
    except LinkError as error:
        raise Refusal("no_link", str(error)) from error
    try:
        old = _ready(writer, deed)
        deed.last_word()
        is_pulse = deed.entry.mode == "pulse"
        if is_pulse:
            deed.mark(True)  # before the bit can stand
        started = time.monotonic()
        found = _sent(writer, deed, old)
    finally:
        writer.close()
    if not is_pulse:
        return found
    if found.outcome == "refused":
        deed.mark(False)
        return found
    deed.pause(max(deed.entry.pulse_ms / 1000 - (time.monotonic() - started), 0.0))
    return _taken_back(deed, found)


def _ready(writer: Writer, deed: Deed) -> float:
    """The value of before, once the PLC runs and every condition holds on what it says now; raises Refusal."""
    try:
        if deed.source.require_run and writer.is_running() is not True:
            raise Refusal("not_in_run", f"{deed.source.name} does not say that it is in RUN")
        for condition in deed.entry.conditions:
            found = writer.read(deed.source.reads[condition.tag])
            if not condition.holds(found):
                raise Refusal("condition", f"only if {condition}; it is {found:g}")
        return writer.read(deed.entry.address)
    except LinkError as error:
        raise Refusal("no_link", str(error)) from error
    except ValueError as error:
        raise Refusal("no_good_value", f"the PLC gives no good value: {error}") from error


def _sent(writer: Writer, deed: Deed, old: float) -> Found:
    """Send it once and read back; a lost answer is looked up on a new connection."""
    try:
        writer.write(deed.entry.address, deed.value)
    except WriteRefused as error:
        return Found("refused", "plc_refused", str(error), old)
    except LinkError as error:
        return _after_loss(deed, old, error)
    try:
        now = writer.read(deed.entry.address)
    except (LinkError, ValueError) as error:
        return _after_loss(deed, old, error)
    if _same(now, deed.value):
        return Found("written", "", "read back", old, now)
    if deed.entry.cleared_by_plc and now == REST:
        return Found("written", "", "the PLC has taken it back already", old, now)
    return Found("unknown", "differs", f"written, but the PLC shows {now:g}", old, now, alarm=True)


def _after_loss(deed: Deed, old: float, lost: Exception) -> Found:
    """The answer was lost: what the PLC shows decides, and where it shows the old value nobody can tell."""
    try:
        writer = deed.opened()
    except LinkError as error:
        return Found("unknown", "no_answer", f"{lost}; and it cannot be read back: {error}", old, alarm=True)
    try:
        now = writer.read(deed.entry.address)
    except (LinkError, ValueError) as error:
        return Found("unknown", "no_answer", f"{lost}; and it cannot be read back: {error}", old, alarm=True)
    finally:
        writer.close()
    if _same(now, deed.value):
        return Found("written", "", f"the answer was lost ({lost}); read back", old, now)
    return Found("unknown", "no_answer", f"the answer was lost ({lost}); the PLC shows {now:g}", old, now, alarm=True)


def _same(now: float, wanted: float) -> bool:
    return math.isclose(now, wanted, rel_tol=1e-6)  # a REAL holds 24 bits


def _taken_back(deed: Deed, found: Found) -> Found:
    """The pulse's end: back to rest, and nothing else counts as an end."""
    error = take_back(deed)
    if error is None:
        deed.mark(False)
        return found
    detail = f"{deed.entry.tag} could not be taken back and may still be set: {error}"
    return Found("unknown", "not_taken_back", detail, found.old, found.new, alarm=True)


def take_back(deed: Deed) -> str | None:
    """Write rest until the PLC shows it, RESET_TRIES at most; the last error where it never did."""
    error = "no try was made"
    for attempt in range(RESET_TRIES):
        if attempt:
            deed.pause(RESET_WAIT_S)
        try:
            writer = deed.opened()
        except LinkError as lost:
            error = str(lost)
            continue
        try:
            writer.write(deed.entry.address, REST)
            now = writer.read(deed.entry.address)
            if now == REST:
                return None
            error = f"the PLC shows {now:g}"
        except (LinkError, WriteRefused, ValueError) as lost:
            error = str(lost)
        finally:
            writer.close()
    return error
