"""A few lines of SVG: panels of lanes with scales over one time axis, alarms shaded and named. No library, no script, own light paper."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

import numpy as np

from ml.scoring import Floats

WIDTH, MARGIN, LEFT, RIGHT = 560, 10, 72, 550  # between margin and left stand the scales
LANE, STRIP, HEAD, FOOT, GAP = 82, 20, 30, 20, 8  # a strip of each lane is kept for its label
MOST_TICKS = 4
TICK_ROOM = 11  # pixels that a number needs above and below it
POINTS = 180  # a curve is drawn as so many strokes from its least to its greatest value
INK, SIGNAL, LIMIT, ALARM, PALE = "#1c1c1c", "#0b5394", "#8a4b00", "#c4320a", "#6b6b6b"
STYLES = {
    "signal": f'stroke="{SIGNAL}" stroke-width="1.4"',
    "score": f'stroke="{INK}" stroke-width="1.4"',
    "truth": f'stroke="{PALE}" stroke-width="1.4" stroke-dasharray="5 3"',
    "band": f'stroke="{LIMIT}" stroke-width="1" stroke-dasharray="2 2"',
}


@dataclass(frozen=True, slots=True)
class Curve:
    """x, y float64 (n,), ascending x, NaN = nothing there; style: a key of STYLES."""

    x: Floats
    y: Floats
    style: str = "signal"


@dataclass(frozen=True, slots=True)
class Lane:
    """One vertical scale, from low to high where given; limits: (value, what it is called). unit: None = no numbers."""

    label: str
    curves: tuple[Curve, ...]
    limits: tuple[tuple[float, str], ...] = ()
    low: float | None = None
    high: float | None = None
    unit: str | None = None

    def span(self) -> tuple[float, float]:
        """What is drawn: everything, with a little room."""
        every = np.concatenate([*(one.y for one in self.curves), np.array([value for value, _ in self.limits])])
        low = float(np.nanmin(every)) if self.low is None else self.low
        high = float(np.nanmax(every)) if self.high is None else self.high
        room = 0.08 * (high - low) or 1.0
        return low - (room if self.low is None else 0.0), high + (room if self.high is None else 0.0)

    def ticks(self) -> tuple[float, ...]:
        """Round numbers within the span, two to MOST_TICKS of them: the finest steps of 1, 2, 2.5, 5 that are not more."""
        if self.unit is None:
            return ()
        low, high = self.span()
        power = 10.0 ** math.floor(math.log10((high - low) / 10))
        for step in (power * part for part in (1, 2, 2.5, 5, 10, 20, 25, 50)):
            first, last = math.ceil(low / step), math.floor(high / step)
            if last - first < MOST_TICKS:
                break
        return tuple(step * k for k in range(first, last + 1))


@dataclass(frozen=True, slots=True)
class Panel:
    """heading: kind ("good at", "bad at") and what is seen; mark: (x, text) of the moment that matters; alarms: from and to, in x."""

    kind: str
    heading: str
    lanes: tuple[Lane, ...]
    length: float
    unit: str
    mark: tuple[float, str] | None = None
    alarms: tuple[tuple[float, float], ...] = ()

    @property
    def height(self) -> int:
        """In pixels."""
        return HEAD + len(self.lanes) * LANE + FOOT + GAP


def drawn(title: str, panels: Sequence[Panel]) -> str:
    """The file."""
    height = sum(panel.height for panel in panels) + GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{height}" rx="6" fill="#fff" stroke="#c8c8c8"/>',
        f'<g font-family="Verdana,DejaVu Sans,sans-serif" font-size="12" fill="{INK}">',
    ]
    top = GAP
    for panel in panels:
        parts += _panel(panel, top)
        top += panel.height
    return "\n".join([*parts, "</g>", "</svg>", ""])


def _panel(panel: Panel, top: int) -> list[str]:
    first, last = top + HEAD, top + HEAD + len(panel.lanes) * LANE
    parts = [f'<text x="{MARGIN}" y="{top + 16}"><tspan font-weight="bold">{panel.kind}:</tspan> {escape(panel.heading)}</text>']
    for start, end in panel.alarms:
        a, b = _x(panel, start), max(_x(panel, end), _x(panel, start) + 3)
        parts.append(f'<rect x="{a}" y="{first}" width="{b - a}" height="{last - first}" fill="{ALARM}" fill-opacity=".17"/>')
    for i, lane in enumerate(panel.lanes):
        parts += _lane(panel, lane, first + i * LANE)
    if panel.mark is not None:
        x = _x(panel, panel.mark[0])
        parts.append(f'<path d="M{x} {first}V{last}" stroke="{PALE}" stroke-dasharray="3 3"/>')
        parts.append(_text(x, last + 14, panel.mark[1], PALE, room=90))
    if panel.alarms:
        parts.append(_text(_x(panel, panel.alarms[0][0]), first + LANE * len(panel.lanes) - 5, "alarm", ALARM, bold=True))
    parts.append(_text(RIGHT, last + 14, f"{panel.length:.3g} {panel.unit}", PALE))
    return parts


def _lane(panel: Panel, lane: Lane, top: int) -> list[str]:
    low, high = lane.span()
    parts = [f'<rect x="{LEFT}" y="{top}" width="{RIGHT - LEFT}" height="{LANE}" fill="none" stroke="#dcdcdc"/>']
    limits = [(_y(value, low, high, top), name) for value, name in lane.limits]
    for y, name in limits:
        parts.append(f'<path d="M{LEFT} {y}H{RIGHT}" stroke="{LIMIT}" stroke-dasharray="7 4"/>')
        parts.append(_tick(y, name, LIMIT))
    for value in lane.ticks():
        y = _y(value, low, high, top)
        if all(abs(y - limit) >= TICK_ROOM for limit, _ in limits):
            parts.append(_tick(y, f"{value:g} {lane.unit}", INK))
    for curve in lane.curves:
        parts.append(f'<path d="{_path(panel, curve, low, high, top)}" fill="none" {STYLES[curve.style]} stroke-linejoin="round"/>')
    parts.append(_text(LEFT + 4, top + 13, lane.label, INK))
    return parts


def _tick(y: int, text: str, fill: str) -> str:
    """A number of the scale, beside where it stands."""
    place = f'x="{LEFT - 7}" y="{y + 3}" text-anchor="end" font-size="10"'
    return f'<path d="M{LEFT - 4} {y}h4" stroke="{fill}"/><text {place} fill="{fill}">{escape(text)}</text>'


def _text(x: int, y: int, text: str, fill: str, *, bold: bool = False, room: int = 0) -> str:
    """Text that starts at x, or ends where it would run out of the picture (less room); curves do not cross its rim of paper."""
    late = x + 7 * len(text) > RIGHT - room
    anchor = ' text-anchor="end"' if late else ""
    weight = ' font-weight="bold"' if bold else ""
    rim = 'paint-order="stroke" stroke="#fff" stroke-width="3" stroke-linejoin="round"'
    return f'<text x="{min(x, RIGHT - room) if late else x}" y="{y}" fill="{fill}"{anchor}{weight} {rim}>{escape(text)}</text>'


def _x(panel: Panel, x: float) -> int:
    return round(LEFT + (RIGHT - LEFT) * min(max(x / panel.length, 0.0), 1.0))


def _y(y: float, low: float, high: float, top: int) -> int:
    return round(top + LANE - 2 - (LANE - STRIP - 4) * min(max((y - low) / (high - low), 0.0), 1.0))


def _path(panel: Panel, curve: Curve, low: float, high: float, top: int) -> str:
    """Relative steps in whole pixels; a stroke from least to greatest where several values share one."""
    known = np.isfinite(curve.y)
    bucket = np.full(len(curve.x), -1, np.int64)
    bucket[known] = np.arange(len(curve.x))[known] if len(curve.x) <= 2 * POINTS else (curve.x[known] / panel.length * POINTS).astype(int)
    points: list[tuple[int, int] | None] = []
    for i in np.flatnonzero(np.diff(bucket, prepend=-2) != 0).tolist():
        if bucket[i] < 0:
            points.append(None)  # the pen is lifted
            continue
        mine = bucket == bucket[i]
        values = curve.y[mine]
        falls = values.argmax() < values.argmin()
        ends = (values.max(), values.min()) if falls else (values.min(), values.max())
        x = _x(panel, float(curve.x[mine][0]))
        points += [(x, _y(float(one), low, high, top)) for one in dict.fromkeys(ends)]
    return _steps(points)


def _steps(points: Sequence[tuple[int, int] | None]) -> str:
    words, at = [], None
    for point in points:
        if point is not None and point != at:
            words.append(f"M{point[0]} {point[1]}" if at is None else f"l{point[0] - at[0]} {point[1] - at[1]}")
        at = point
    return "".join(words)
