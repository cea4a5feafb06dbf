"""A Sparkplug host with a clock of the test's own, and the words of one node; no broker."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

from plc.connectors.sparkplug_host import Host
from tests.plc.edge_node import encoded, metric
from tests.plc.harness import tag

NOW = 1_763_700_000_000
TAGS = [
    tag(1, "PT", "s", "G/N/D:PT"),
    tag(2, "TT", "s", "G/N/D:TT"),
    tag(3, "CPU", "s", "G/N:CPU"),
    tag(4, "RECIPE", "s", "G/N/D:Recipe", kind="text"),
]
OWN = [metric("bdSeq", 0, "UInt64"), metric("CPU", 3.0, alias=1)]
DEVICE = [metric("PT", 5.0, alias=2), metric("TT", 20, "Int32", alias=3), metric("Recipe", "a", "String", alias=4)]
Told = list[tuple[str, int, Any, int]]


class Notes:
    """A report that keeps what it is told."""

    def __init__(self) -> None:
        self.reasons: Counter[str] = Counter()
        self.topics: dict[str, set[str]] = {}  # by reason
        self.found: list[str] = []

    def reject(self, reason: str, count: int = 1, *, topic: str = "", sample: bytes = b"") -> None:
        self.reasons[reason] += count
        self.topics.setdefault(reason, set()).add(topic)

    def discovered(self, tag: str, value: float | str) -> None:
        self.found.append(tag)


class Stage:
    """A host with the tags above, a clock of the test's own, and the words of one node."""

    def __init__(self) -> None:
        self.notes = Notes()
        self.host = Host(self.notes)
        self.host.configure(TAGS)
        self.now = 1000.0
        self.host.connected(self.now, NOW - 10_000, random.Random(1))
        self.now += 60.0

    def say(self, kind: str, metrics: list[dict[str, Any]], seq: int | None, *, device: str = "D", t: int = NOW) -> None:
        place = f"spBv1.0/G/{kind}/N" + (f"/{device}" if kind[0] == "D" else "")
        self.host.handle(place, encoded(metrics, seq=seq, t=t), NOW + 50, self.now)

    def birth(self, own: list[dict[str, Any]] = OWN, device: list[dict[str, Any]] = DEVICE) -> None:
        self.say("NBIRTH", own, 0)
        self.say("DBIRTH", device, 1)

    def later(self, seconds: float) -> None:
        self.now += seconds
        self.host.turn(self.now, NOW + round(seconds * 1000))

    def live(self) -> Told:
        return self._told(replay=False)

    def replayed(self) -> Told:
        return self._told(replay=True)

    def _told(self, *, replay: bool) -> Told:
        names = {one.id: one.name for one in TAGS}
        return [
            (names[int(i)], int(t), value if isinstance(value, str) else float(value), int(q))
            for part in self.host.take()
            if part.replay == replay
            for i, t, value, q in zip(part.ids, part.t, part.values, part.quality, strict=True)
        ]
