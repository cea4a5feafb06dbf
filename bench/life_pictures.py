"""Pictures of what looks ahead: the time to a limit and the remaining life, each where it is good and where it is bad."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from bench.drawing import Curve, Lane, Panel, drawn
from ml.rul import CAP, LifeModel, learn_life
from ml.scoring import Floats
from realtime.forecasts import HOUR_MS, Forecast, Trendline, forecast, trendline
from tests.ml.plant import T0

HOURS, AHEAD, LIMIT = 240, 200, 20.0
SLOPE, FASTER = 0.045, 0.15  # per hour
DAYS = 30  # both pictures of a time to a limit, so that their bands can be compared
EVERY = 4  # cycles between two looks at a life
BREAKS = 0.4  # of the life that wear would have given it
VIBRATION = (-0.5, 2.5)  # mm/s: one scale for both, or noise alone would look like wear


def levels(slope: float, faster: float = 0.0) -> Floats:
    """float64 (HOURS + AHEAD,): a filter that clogs, hour by hour, with wander; faster: what is added per hour from 30 hours ago on."""
    rng, n = np.random.default_rng(5), HOURS + AHEAD
    v = np.zeros(n)
    for i, step in enumerate(rng.normal(0, 0.5, n)[1:], 1):
        v[i] = 0.6 * v[i - 1] + step
    hours = np.arange(n)
    return 4 + v + slope * hours + faster * np.maximum(hours - HOURS + 30, 0)


def looked_ahead(level: Floats) -> tuple[Trendline, Forecast]:
    """What the product says after HOURS of them."""
    line = trendline(T0 + np.arange(HOURS) * HOUR_MS, level[:HOURS])
    assert line is not None  # ten days of levels
    return line, forecast(line, "high", LIMIT)


def _ahead(kind: str, heading: str, level: Floats) -> Panel:
    line, found = looked_ahead(level)
    now, days = float(HOURS - 1), np.arange(len(level)) / 24
    reached = int(np.argmax(level >= LIMIT)) + 1
    curves = [Curve(days[:HOURS], level[:HOURS]), Curve(days[HOURS:reached], level[HOURS:reached], "truth")]
    curves.append(Curve(np.array([0.0, now]) / 24, np.array([line.level - now * line.slope, line.level]), "score"))
    for when, style in ((found.earliest, "band"), (found.expected, "score"), (found.latest, "band")):
        if when is not None:
            curves.append(Curve(np.array([now, (when - T0) / HOUR_MS]) / 24, np.array([line.level, LIMIT]), style))
    label = "pressure loss (dashed grey: what came; dotted: 90 % band)"
    lane = Lane(label, tuple(curves), ((LIMIT, "limit 20"),), low=0.0, high=LIMIT + 2, unit="mbar")
    return Panel(kind, heading, (lane,), float(DAYS), "days", (now / 24, "now"))


def time_to_limit() -> str:
    """The picture of `realtime.forecasts`."""
    good = _ahead("Good at", "what goes on as it did: expected day, with a band", levels(SLOPE))
    bad = _ahead("Bad at", "what begins to go faster: it draws a straight line", levels(SLOPE / 2, FASTER))
    return drawn("time to limit: what it is good and bad at", [good, bad])


def lives(number: int, seed: int, *, worn: bool = True) -> list[Floats]:
    """Machines that wear, each at its own pace, until they fail; not worn: each breaks before wear shows."""
    rng, made = np.random.default_rng(seed), []
    for _ in range(number):
        cycles = int(rng.integers(140, 260))
        wear, noise, own = (np.arange(cycles) / cycles) ** 3, rng.normal(0, 0.1, (cycles, 3)), rng.normal(0, 0.2, 2)
        made.append(np.stack([own[0] + 2 * wear + noise[:, 0], own[1] - 3 * wear + noise[:, 1], noise[:, 2]], axis=1))
    return made if worn else [one[: round(BREAKS * len(one))] for one in made]


@cache
def life_model() -> LifeModel:
    """Learned from forty of them."""
    return learn_life(lives(40, 1), rounds=60)


def told(life: Floats) -> tuple[Floats, Floats, Floats]:
    """(cycle (n,), left, low, high (n, 3), truth (n,)) along a life that was never learned from."""
    at = np.arange(20, len(life), EVERY)
    said = np.array([(one.left, one.low, one.high) for one in (life_model().predict(life[: k + 1]) for k in at.tolist())])
    return at.astype(float), said, np.minimum(len(life) - 1 - at, CAP).astype(float)


def _life(kind: str, heading: str, life: Floats, mark: str) -> Panel:
    at, said, truth = told(life)
    lane = Lane(
        "cycles left (dashed grey: the truth; dotted: 90 % band)",
        (Curve(at, truth, "truth"), Curve(at, said[:, 1], "band"), Curve(at, said[:, 2], "band"), Curve(at, said[:, 0])),
        low=0.0,
        high=160.0,
        unit="",
    )
    low, high = VIBRATION
    signal = Lane("vibration, mm/s", (Curve(np.arange(len(life), dtype=float), life[:, 0]),), low=low, high=high, unit="mm/s")
    return Panel(kind, heading, (signal, lane), float(len(life) + 20), "cycles", (float(len(life) - 1), mark))


def remaining_life() -> str:
    """The picture of `ml.rul`."""
    good = _life("Good at", "wear that shows in the signals", lives(1, 21)[0], "worn out")
    bad = _life("Bad at", "a machine that breaks without wear before it", lives(1, 22, worn=False)[0], "breaks")
    return drawn("remaining life: what it is good and bad at", [good, bad])


LIFE_PICTURES: dict[str, Callable[[], str]] = {"time-to-limit": time_to_limit, "remaining-life": remaining_life}
