"""Gathers OPC UA changes into columns: numbers, texts, frames with their virtual statistics tags. No network."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from asyncua import ua

from plc.connector import Readings, Report, bad_samples
from plc.connectors.opcua_values import STATISTICS, Picture, ShapeError, number, picture, quality_of, stamp_ms
from realtime.events import Frame, Quality, Reason, quality_byte
from realtime.snapshot import Tag

Change = tuple[ua.NodeId, ua.DataValue]

STALE_INITIAL_MS = 5_000
BAD_CONFIG = quality_byte(Quality.BAD, Reason.CONFIG)
BAD_RANGE = quality_byte(Quality.BAD, Reason.RANGE)
BAD_DEVICE = quality_byte(Quality.BAD, Reason.DEVICE)


class Columns:
    """Knows which node is which tag."""

    def __init__(self, tags: Sequence[Tag], shapes: Mapping[str, Sequence[int]], report: Report) -> None:
        self.report = report
        self.bad_nodes: list[Tag] = []  # to be told once as bad (CONFIG)
        self.opened_ms = 0
        by_name = {tag.name: tag for tag in tags}
        self._owners: dict[ua.NodeId, Tag] = {}
        self._shapes = {name: (int(shape[0]), int(shape[1])) for name, shape in shapes.items()}
        self._statistics = {
            tag.id: [(ending, by_name[f"{tag.name}.{ending}"]) for ending in STATISTICS if f"{tag.name}.{ending}" in by_name]
            for tag in tags
            if tag.kind == "frame"
        }

    def owns(self, node: ua.NodeId, tag: Tag) -> None:
        """Changes of this node are this tag's."""
        self._owners[node] = tag

    def readings(self, changes: Iterable[Change], received: int) -> list[Readings]:
        """Columns of the changes, in their order."""
        rows = _Rows()
        for node, value in changes:
            tag = self._owners.get(node)
            if tag is not None:
                self._take(tag, value, self._time(value, received), rows)
        told, self.bad_nodes = self.bad_nodes, []
        lost = [tag for owner in told for tag in (owner, *(stat for _, stat in self._statistics.get(owner.id, ())))]
        return rows.readings() + bad_samples(lost, received, Reason.CONFIG)

    def _time(self, value: ua.DataValue, received: int) -> int:
        """Source time; a first value after subscribing that has not changed for long counts from now on: the server vouches for it."""
        t = stamp_ms(value, received)
        return received if received - self.opened_ms < STALE_INITIAL_MS and t < self.opened_ms - STALE_INITIAL_MS else t

    def _take(self, tag: Tag, value: ua.DataValue, t: int, rows: _Rows) -> None:
        quality = quality_of(value.StatusCode)
        content = value.Value.Value if value.Value is not None else None
        if tag.kind == "frame":
            self._take_frame(tag, value, content, t, quality, rows)
        elif tag.kind == "text":
            rows.texts.append((tag.id, t, "" if content is None else str(content)[:1000], quality))
        else:
            found = number(content)
            if found is None:
                if content is not None:
                    self.report.reject("value_type", topic=tag.name, sample=repr(content)[:200].encode())
                missing = BAD_DEVICE if content is None else BAD_CONFIG
                rows.numbers.append((tag.id, t, math.nan, quality if quality & 3 == Quality.BAD else missing))
            else:
                rows.numbers.append((tag.id, t, found, quality))

    def _take_frame(self, tag: Tag, value: ua.DataValue, content: Any, t: int, quality: int, rows: _Rows) -> None:
        made: Picture | None = None
        if content is not None:
            try:
                made = picture(content, value.Value.Dimensions if value.Value else None, self._shapes.get(tag.name), tag.unit)
            except ShapeError as error:
                self.report.reject("shape", topic=tag.name, sample=str(error).encode())
                quality = BAD_CONFIG
            except (ValueError, TypeError) as error:
                self.report.reject("not_finite", topic=tag.name, sample=str(error).encode())
                quality = BAD_RANGE
        elif quality & 3 != Quality.BAD:
            quality = BAD_DEVICE
        if made is not None:
            self._shapes.setdefault(tag.name, made.frame.shape)
            rows.frames.append((tag.id, t, made.frame, quality))
        for ending, statistic in self._statistics.get(tag.id, ()):
            rows.numbers.append((statistic.id, t, made.statistics[ending] if made else math.nan, quality))


class _Rows:
    """Rows of each kind."""

    def __init__(self) -> None:
        self.numbers: list[tuple[int, int, float, int]] = []
        self.texts: list[tuple[int, int, str, int]] = []
        self.frames: list[tuple[int, int, Frame, int]] = []

    def readings(self) -> list[Readings]:
        made: list[Readings] = []
        if self.numbers:
            ids, t, values, quality = zip(*self.numbers, strict=True)
            made.append(_columns(ids, t, np.array(values, "f8"), quality, "f64"))
        if self.texts:
            ids, t, words, quality = zip(*self.texts, strict=True)
            made.append(_columns(ids, t, list(words), quality, "text"))
        if self.frames:
            ids, t, frames, quality = zip(*self.frames, strict=True)
            made.append(_columns(ids, t, list(frames), quality, "frame"))
        return made


def _columns(ids: Sequence[int], t: Sequence[int], values: Any, quality: Sequence[int], kind: Any) -> Readings:
    return Readings(np.array(ids, "u4"), np.array(t, "i8"), values, np.array(quality, "u1"), np.zeros(len(ids), "u4"), kind)
