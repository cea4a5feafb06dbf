"""/metrics for Prometheus: what every program's heartbeat says, so that any web process can answer for all of them.

Counts of this process's own requests go into its heartbeat too; no multi-process directory is needed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from flask import Flask, Response
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_UNSAFE = re.compile(r"[^a-zA-Z0-9_]")


class RequestCounts:
    """Answers of this process by class of status."""

    def __init__(self) -> None:
        self.by_class = dict.fromkeys(("2xx", "3xx", "4xx", "5xx"), 0)

    def register(self, app: Flask) -> None:
        """Count every answer of an app."""
        app.after_request(self._count)

    def _count(self, response: Response) -> Response:
        key = f"{response.status_code // 100}xx"
        if key in self.by_class:
            self.by_class[key] += 1
        return response

    def counters(self) -> dict[str, Any]:
        """For the heartbeat."""
        return {"http": dict(self.by_class)}


class _Heartbeats:
    """A collector over heartbeats as they were read for this scrape."""

    def __init__(self, beats: Iterable[Mapping[str, Any]], up: Mapping[str, bool]) -> None:
        self._beats = list(beats)
        self._up = up

    def collect(self) -> Iterator[Metric]:
        """One gauge per counter name, labelled by program, pid and key."""
        up = GaugeMetricFamily("sightline_up", "1 while a dependency answers", labels=["dependency"])
        for name, answers in self._up.items():
            up.add_metric([name], float(answers))
        yield up
        families: dict[str, GaugeMetricFamily] = {}
        for beat in self._beats:
            who = [str(beat.get("program", "")), str(beat.get("pid", ""))]
            for name, key, value in _numbers(beat):
                metric = f"sightline_{_UNSAFE.sub('_', name)}"
                family = families.setdefault(
                    metric, GaugeMetricFamily(metric, f"heartbeat counter {name}", labels=["program", "pid", "key"])
                )
                family.add_metric([*who, key], value)
        yield from families.values()


def _numbers(beat: Mapping[str, Any]) -> Iterator[tuple[str, str, float]]:
    for name, value in beat.items():
        if name in {"program", "pid"}:
            continue
        rows = value.items() if isinstance(value, dict) else [("", value)]
        for key, number in rows:
            if isinstance(number, int | float) and not isinstance(number, str):
                yield name, str(key), float(number)


def exposition(beats: Iterable[Mapping[str, Any]], up: Mapping[str, bool]) -> bytes:
    """The text Prometheus scrapes."""
    registry = CollectorRegistry()
    registry.register(_Heartbeats(beats, up))
    return generate_latest(registry)
