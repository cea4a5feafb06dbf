"""`python -m bench.pictures [FOLDER]`: one small picture a detector, played through the monitor's own engine, for docs/monitoring.md.

Each shows what the detector is good at and what it is bad at: the signal, the moment that matters, score against limit, alarms. Nothing
is asserted here; `tests/ml/test_pictures.py` holds every picture to what its heading says.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from bench.drawing import Curve, Lane, Panel, drawn
from bench.life_pictures import LIFE_PICTURES
from bench.scenes import SCENES
from ml.scoring import Chunk, Flags, Floats, History, Score
from tests.ml.plant import T0, batch, engine, model, series, snapshot

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "pictures" / "monitoring"
KINDS = ("Good at", "Bad at")
TREES = 20
BLOCKWISE = {"cusum", "cva", "forest", "novelty", "shift"}  # silent within a block; the others are silent at rest
MOST = 2.5  # limits: a score is drawn no higher


@dataclass(frozen=True, slots=True)
class Played:
    """ratio float64 (n,): score / limit after each reading of the live part; alarm bool (n,)."""

    ratio: Floats
    alarm: Flags


@cache
def played(name: str, story: int) -> Played:
    """One detector of a whole engine, reading by reading, through one of its two stories."""
    scene = SCENES[name][story]
    period_ms = round(scene.tags[0].period_s * 1000)
    snap = snapshot(*scene.tags)
    past = tuple(series(scene.baseline[:, k], T0 - len(scene.baseline) * period_ms, period_ms) for k in range(len(scene.tags)))
    environment = dict(scene.environment)
    made = engine(snap, model(snap, History(scene.tags, past, 60.0, TREES), **environment), **environment)
    made.start_listening(T0 - 2 * scene.warm * period_ms)
    one, said = made.detectors[name], list[Score]()
    score, tick = one.score, one.tick

    def scored(chunk: Chunk) -> Score | None:
        return _kept(score(chunk), said)

    def ticked(now: int) -> Score | None:
        return _kept(tick(now), said)

    one.score, one.tick = scored, ticked  # type: ignore[method-assign]
    ratio, alarm, last = [], [], 0.0
    rows = range(len(one.row_keys()))
    for k, values in enumerate(np.concatenate([scene.baseline[-scene.warm :], scene.live]), -scene.warm):
        said.clear()
        t = T0 + k * period_ms
        heard = np.flatnonzero(np.isfinite(values))
        # an empty batch beside it: a single reading alone goes a cheaper way, on which a detector at rest says no score
        made.process([batch([scene.tags[h].id for h in heard], list(values[heard]), t), batch([], [], t)])
        made.tick(t + 500)
        standing = any(one.is_active(row) for row in rows)
        now = max((float((each.value / each.limit).max()) for each in said if len(each.rows)), default=None)
        last = now if now is not None else last if name in BLOCKWISE or standing else 0.0
        ratio.append(last)
        alarm.append(standing)
    return Played(np.array(ratio[scene.warm :]), np.array(alarm[scene.warm :], bool))


def _kept(score: Score | None, said: list[Score]) -> Score | None:
    if score is not None:
        said.append(score)
    return score


def panel(name: str, story: int) -> Panel:
    """The picture of one playing."""
    scene, found = SCENES[name][story], played(name, story)
    seconds = len(scene.live) * scene.tags[0].period_s
    per, unit = next((per, unit) for per, unit in ((3600, "h"), (60, "min"), (1, "s")) if seconds >= 2 * per)
    x = np.arange(len(scene.live)) * scene.tags[0].period_s / per
    lanes = [
        Lane(label, (Curve(x, scene.live[:, column]),), scene.limits if k == 0 else (), unit=label.rpartition(", ")[2])
        for k, (column, label) in enumerate(scene.shown)
    ]
    ratio = np.minimum(found.ratio, MOST)
    lanes.append(Lane(f"{name}: score", (Curve(x, ratio, "score"),), ((1.0, "limit"),), low=0.0, high=max(1.3, float(ratio.max()))))
    edges = np.flatnonzero(np.diff(np.concatenate([[0], found.alarm.astype(int), [0]])))
    ends = [*x.tolist(), seconds / per]
    alarms = tuple((ends[a], ends[b]) for a, b in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
    return Panel(KINDS[story], scene.heading, tuple(lanes), seconds / per, unit, (float(x[scene.mark[0]]), scene.mark[1]), alarms)


def of_detector(name: str) -> str:
    """The file of one detector of the table."""
    return drawn(f"{name}: what it is good and bad at", [panel(name, 0), panel(name, 1)])


PICTURES: dict[str, Callable[[], str]] = {**{name: (lambda name=name: of_detector(name)) for name in SCENES}, **LIFE_PICTURES}


def main(arguments: list[str]) -> int:
    """Draw all of them into FOLDER."""
    folder = Path(arguments[0]) if arguments else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in PICTURES.items():
        text = draw()
        (folder / f"{name}.svg").write_text(text, "utf-8")
        print(f"{name}: {len(text) / 1000:.1f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
