"""What is known of an alert when its triage and its advice are reckoned: signals as people read them, companions, calibration. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from realtime.events import AlertType
from server.rules.wording import quantity

CONDITION_UNITS = frozenset({"mm/s", "mm/s²", "m/s²", "g", "µm", "dB"})  # wear shows here alone: that others stand still says nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """A signal as people read it: "Temperature (M1.temperature)", its unit and decimals."""

    tag: str
    label: str = ""
    unit: str = ""
    decimals: int = 2
    computed: bool = False  # from a picture of the machine: no device of its own is behind it

    @property
    def named(self) -> str:
        """Label and tag, the tag alone where they are the same."""
        label = self.label[:1].upper() + self.label[1:]
        return f"{label} ({self.tag})" if label and self.label != self.tag else self.tag

    @property
    def shows_condition(self) -> bool:
        """True for vibration and the like."""
        return self.unit in CONDITION_UNITS or "vibration" in self.label.lower()

    def said(self, value: float) -> str:
        """A value with its unit."""
        return quantity(value, self.decimals, self.unit)


@dataclass(frozen=True, slots=True)
class Companion:
    """Another signal of the machine. before, now: engineering units; moved: in its own spreads; follows: correlation with the alert's."""

    signal: Signal
    before: float
    now: float
    moved: float
    follows: float | None = None


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What calibration knows of the instrument; errors: as found, % of span, oldest first."""

    overdue: bool = False
    failed: bool = False
    errors_pct: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything the triage may use; what is unknown is left out.

    also_faulty: other signals of the machine with a fault of their own signal (stuck, noise, spike, range) now;
    also_alarmed: those with a limit or drift alert now; past: (orders closed as instrumentation, all) on this instrument;
    shares: signals of a model's finding with their share 0..1, largest first.
    """

    type: AlertType
    code: str | None = None
    category: str = ""  # of the fault code, where its table names one
    signal: Signal | None = None
    value: float | None = None
    limit: float | None = None
    companions: Sequence[Companion] = ()
    others: int = 0  # signals of the machine beside it, also those that nobody could measure yet
    also_faulty: Sequence[Signal] = ()
    also_alarmed: Sequence[Signal] = ()
    calibrated: Calibrated | None = None
    past: tuple[int, int] = (0, 0)
    shares: Sequence[tuple[Signal, float]] = ()
