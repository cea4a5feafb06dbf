"""For each detector two short stories of generated signals: one that it is good at, one that it is bad at. `bench.pictures` plays them.

Nothing is judged here; `alarms` says what the playing must show, and a test holds every story to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from ml.scoring import Floats
from realtime.snapshot import Limit, Tag
from tests.ml.plant import tag, wander

BASELINE, LIVE = 1800, 300  # readings, one a second
FAULT, END = 90, 220  # most faults begin and end there


@dataclass(frozen=True, slots=True)
class Scene:
    """baseline, live float64 (n, tags), NaN = no reading; shown: (column, label); mark: (row of live, what begins there)."""

    heading: str
    tags: tuple[Tag, ...]
    baseline: Floats
    live: Floats
    mark: tuple[int, str]
    alarms: bool
    shown: tuple[tuple[int, str], ...] = ((0, "pressure, bar"),)
    limits: tuple[tuple[float, str], ...] = ()  # drawn into the first signal
    environment: Mapping[str, str] = field(default_factory=dict)
    warm: int = 120  # readings of the baseline that the engine hears before


Change = Callable[[Floats, Floats], None]


def quick(heading: str, change: Change, *, alarms: bool, mark: str = "fault", tags: tuple[Tag, ...] = (tag(1),)) -> Scene:
    """Wandering signals of one machine; change(live float64 (LIVE, tags), i = 0, 1, 2 ...) alters the live part in place."""
    values = wander(BASELINE + LIVE, channels=len(tags), seed=4)
    live = values[BASELINE:].copy()
    change(live, np.arange(LIVE, dtype=np.float64))
    return Scene(heading, tags, values[:BASELINE], live, (FAULT, mark), alarms)


def wire_breaks(live: Floats, i: Floats) -> None:
    """4-20 mA with nothing on it: a quarter of the range below zero."""
    live[FAULT:END, 0] = -25.0


def reads_too_little(live: Floats, i: Floats) -> None:
    """Still within the range."""
    live[FAULT:, 0] -= 20.0


def spikes(live: Floats, i: Floats) -> None:
    """A loose contact."""
    live[[FAULT, FAULT + 12, FAULT + 70], 0] += [9.0, 7.0, -8.0]


def steps(live: Floats, i: Floats) -> None:
    """A step that stays."""
    live[FAULT:, 0] += 6.0


def grows_noisy(live: Floats, i: Floats) -> None:
    """A bad earth."""
    live[FAULT:END, 0] += np.random.default_rng(2).normal(0, 0.9, END - FAULT)


def swings(live: Floats, i: Floats) -> None:
    """A valve that hunts, a swing a minute."""
    live[FAULT:, 0] += 2.5 * np.sin(2 * np.pi * (i[FAULT:] - FAULT) / 60)


def freezes(live: Floats, i: Floats) -> None:
    """The same number again and again."""
    live[FAULT:END, 0] = live[FAULT, 0]


def freezes_with_a_flicker(live: Floats, i: Floats) -> None:
    """Frozen, but the converter's last digit still flickers."""
    live[FAULT:, 0] = live[FAULT, 0] + 0.05 * (np.random.default_rng(3).integers(0, 2, LIVE - FAULT))


def rises_over_the_limit(live: Floats, i: Floats) -> None:
    """One reading over it first, then for good, then back."""
    live[40, 0] = 56.0
    live[:, 0] += np.interp(i, [FAULT, FAULT + 40, END - 20, END + 20], [0, 9, 9, 0])


def rises_below_the_limit(live: Floats, i: Floats) -> None:
    """Wrong, but nobody said so."""
    live[:, 0] += np.interp(i, [FAULT, FAULT + 40], [0, 3.6])


def falls_silent(live: Floats, i: Floats) -> None:
    """One tag of a live source."""
    live[FAULT:END, 0] = np.nan


def repeats_itself(live: Floats, i: Floats) -> None:
    """A gateway that hangs goes on sending its last number."""
    live[FAULT:, 0] = live[FAULT, 0]


def jumps_a_little(live: Floats, i: Floats) -> None:
    """Twice what the tag wanders by itself, but at once."""
    live[FAULT:END, 0] += 2.0


def creeps(live: Floats, i: Floats) -> None:
    """Less in three minutes than it wanders by itself."""
    live[FAULT:, 0] += 0.003 * (i[FAULT:] - FAULT)


def drifts(live: Floats, i: Floats) -> None:
    """A transmitter that leaves its calibration."""
    live[:, 0] += np.interp(i, [FAULT, LIVE], [0, 5.0])


def has_a_bias(live: Floats, i: Floats) -> None:
    """A step that stays, and is gone at once when it was mended."""
    live[FAULT:END, 0] += 3.0


RANGED = (tag(1, range_low=0.0, range_high=100.0),)
LIMITED = (tag(1, limits=[Limit(side="high", value=55.0, severity="warning", deadband=1.0, on_delay_s=5.0)]),)
THREE = (tag(1), tag(2), tag(3))


def limited(one: Scene) -> Scene:
    """With its limit drawn in."""
    return replace(one, limits=((55.0, "limit 55"),))


def ranged(one: Scene) -> Scene:
    """With what its sensor can measure drawn in."""
    return replace(one, limits=((0.0, "0 bar"), (100.0, "100 bar")))


def beside(one: Scene, *labels: str) -> Scene:
    """With more signals of the machine drawn."""
    return replace(one, shown=tuple(enumerate(labels)))


def day_of(per_row_s: float, live: int, change: Change, *, heading: str, alarms: bool, mark: tuple[int, str]) -> Scene:
    """A slow signal, a day of it learned: wander that is remembered for two minutes, and noise."""
    rng, n = np.random.default_rng(11), round(86_400 / per_row_s) + live
    keep, v = float(np.exp(-per_row_s / 120)), np.zeros(n)
    for k, step in enumerate(rng.normal(0, 0.3 * np.sqrt(1 - keep * keep), n)[1:], 1):
        v[k] = keep * v[k - 1] + step
    values = np.round(50 + v + rng.normal(0, 0.3, n), 2)[:, None]
    after = values[-live:].copy()
    change(after, np.arange(live, dtype=np.float64))
    return Scene(heading, (tag(1, period_s=per_row_s),), values[:-live], after, mark, alarms)


def under_one_load(heading: str, change: Change, *, alarms: bool, mark: str, strange_load: bool = False) -> Scene:
    """Eight tags, a reading in ten seconds, that follow one load, each with its own gain; an hour of them after five learned ones."""
    rng, n, live = np.random.default_rng(3), 2160, 360
    load = np.zeros(n)
    for k, step in enumerate(rng.normal(0, 0.3, n)[1:], 1):
        load[k] = 0.95 * load[k - 1] + step
    if strange_load:
        load[n - live + 120 :] += 7.0
    values = 50 + load[:, None] * np.linspace(0.5, 2.0, 8) + rng.normal(0, 0.05, (n, 8))
    after = values[-live:].copy()
    change(after, np.arange(live, dtype=np.float64))
    tags = tuple(tag(k + 1, period_s=10.0) for k in range(8))
    shown = ((7, "pump current, A"), (3, "valve, %"))
    return Scene(heading, tags, values[:-live], after, (120, mark), alarms, shown)


def valve_goes_its_own_way(live: Floats, i: Floats) -> None:
    """Within all that it ever showed, but no longer after the load."""
    live[120:280, 3] = 100 - live[120:280, 3]


def as_it_is(live: Floats, i: Floats) -> None:
    """Nothing is broken."""


def two_levels(heading: str, change: Change, *, alarms: bool, mark: str, known: bool = False) -> Scene:
    """A duty cycle between two levels, a reading a minute; five hours of it after a day and a half."""
    rng, n, live = np.random.default_rng(6), 2400, 300
    values = np.round(50.0 + 10.0 * (np.arange(n) // 30 % 2) + rng.normal(0, 0.3, n), 2)[:, None]
    if known:
        values[900:960] = 55.0 + rng.normal(0, 0.3, (60, 1))
    after = values[-live:].copy()
    change(after, np.arange(live, dtype=np.float64))
    return Scene(heading, (tag(1, period_s=60.0),), values[:-live], after, (120, mark), alarms, environment={"NOVELTY": "*"})


def stops_half_way(live: Floats, i: Floats) -> None:
    """Between its two levels."""
    live[120:180, 0] = 55.0 + np.random.default_rng(7).normal(0, 0.3, 60)


def together(heading: str, change: Change, *, alarms: bool, mark: str) -> Scene:
    """Two tags for twenty minutes, after an hour."""
    values = wander(3600 + 1200, channels=2, seed=4)
    live = values[3600:].copy()
    change(live, np.arange(1200, dtype=np.float64))
    shown = ((0, "pressure, bar"), (1, "flow, m3/h"))
    return Scene(heading, (tag(1), tag(2)), values[:3600], live, (360, mark), alarms, shown)


def swing_against_each_other(live: Floats, i: Floats) -> None:
    """Within limits, and never seen before."""
    swing = 3.0 * np.sin(i[360:840] / 4)
    live[360:840, 0] += swing
    live[360:840, 1] -= swing


def swing_for_half_a_minute(live: Floats, i: Floats) -> None:
    """The same, but over before two windows of a minute have seen it."""
    swing = 3.0 * np.sin(i[370:400] / 4)
    live[370:400, 0] += swing
    live[370:400, 1] -= swing


SCENES: dict[str, tuple[Scene, Scene]] = {
    "range": (
        ranged(quick("a wire breaks; told with the first reading", wire_breaks, alarms=True, tags=RANGED)),
        ranged(quick("20 bar too little is still within 0 to 100 bar", reads_too_little, alarms=False, tags=RANGED)),
    ),
    "spike": (
        quick("single wild readings: a loose contact", spikes, alarms=True),
        quick("a step that stays is no spike", steps, alarms=False, mark="step"),
    ),
    "noise": (
        quick("readings grow restless: a bad earth, a loose screen", grows_noisy, alarms=True),
        quick("a slow swing is no noise", swings, alarms=False),
    ),
    "stuck": (
        quick("the value freezes", freezes, alarms=True),
        quick("frozen, but its last digit flickers (no deadband set)", freezes_with_a_flicker, alarms=False),
    ),
    "limits": (
        limited(quick("over the limit for longer than its delay", rises_over_the_limit, alarms=True, mark="rises", tags=LIMITED)),
        limited(quick("wrong, but below the limit that a person set", rises_below_the_limit, alarms=False, mark="rises", tags=LIMITED)),
    ),
    "gap": (
        beside(quick("one tag of a live machine falls silent", falls_silent, alarms=True, tags=THREE), "pressure, bar", "flow, m3/h"),
        quick("a gateway that hangs repeats its last number", repeats_itself, alarms=False, tags=THREE),
    ),
    "drift": (
        quick("a level leaves its place within minutes", drifts, alarms=True),
        quick("a creep as slow as the tag's own wander", creeps, alarms=False),
    ),
    "shift": (
        replace(quick("a level that steps away from where it was", has_a_bias, alarms=True, mark="bias"), warm=320),
        quick("a creep: each minute is close to those before it", creeps, alarms=False),
    ),
    "cusum": (
        day_of(
            10.0,
            1440,
            lambda live, i: live.__setitem__(slice(360, None), live[360:] + 0.75),
            heading="a small shift that stays, in hours",
            alarms=True,
            mark=(360, "shift"),
        ),
        day_of(
            10.0,
            1440,
            lambda live, i: live.__setitem__(slice(360, 372), live[360:372] + 1.5),
            heading="two minutes are over before anything adds up",
            alarms=False,
            mark=(360, "fault"),
        ),
    ),
    "residual": (
        beside(quick("a jump within seconds", jumps_a_little, alarms=True, tags=THREE), "pressure, bar", "flow, m3/h"),
        beside(quick("a creep: each reading follows from the last", creeps, alarms=False, tags=THREE), "pressure, bar", "flow, m3/h"),
    ),
    "cva": (
        under_one_load("a valve leaves the load it followed; its values are usual", valve_goes_its_own_way, alarms=True, mark="fault"),
        under_one_load("a load it never learned: alarm, nothing is broken", as_it_is, alarms=True, mark="new load", strange_load=True),
    ),
    "novelty": (
        two_levels("stops half way between its two levels", stops_half_way, alarms=True, mark="fault"),
        two_levels("the same, seen once before: it is known now", stops_half_way, alarms=False, mark="fault", known=True),
    ),
    "forest": (
        together("two tags swing against each other", swing_against_each_other, alarms=True, mark="fault"),
        together("the same for half a minute: it waits for two odd minutes", swing_for_half_a_minute, alarms=False, mark="fault"),
    ),
}
