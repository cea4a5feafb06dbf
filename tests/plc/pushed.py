"""A pushed connector of ours on the test's own thread, and everything that came by it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from plc.connector import KINDS
from realtime import settings as settings_module
from realtime.snapshot import Source, Tag
from tests.plc.sparkplug_stage import Notes
from tests.waiting import wait_for


class Row(NamedTuple):
    """One reading as the connector hands it over."""

    tag: str
    t: int
    value: Any
    quality: int
    seq: int
    replay: bool


class Pushed:
    """Reads and confirms as the runner does."""

    def __init__(self, kind: str, config: dict[str, Any], tags: Sequence[Tag], *, name: str = "s", prefix: str = "pushed") -> None:
        self.notes = Notes()
        settings = settings_module.load({"BUS_PREFIX": prefix}, None)
        self.connector = KINDS[kind].load()(Source(id=1, name=name, kind=kind, config=config), settings, self.notes)
        self.connector.plan(tags)
        self.rows: list[Row] = []
        self._names = {one.id: one.name for one in tags}

    def __enter__(self) -> Pushed:
        self.connector.connect()
        return self

    def __exit__(self, *_: object) -> None:
        self.connector.close()

    def pump(self) -> list[Row]:
        """Everything so far."""
        for part in self.connector.read("", 0.05):
            columns = zip(part.ids, part.t, part.values, part.quality, part.seq, strict=True)
            for i, t, value, quality, seq in columns:
                shown = value if isinstance(value, str) else float(value)
                self.rows.append(Row(self._names[int(i)], int(t), shown, int(quality), int(seq), part.replay))
        self.connector.confirm()
        return self.rows

    def until(self, done: Callable[[list[Row]], Any], what: str) -> Any:
        """Pump until it is so."""
        return wait_for(lambda: done(self.pump()), what=f"{what}; refused so far {dict(self.notes.reasons)}")
