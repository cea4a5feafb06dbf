"""What the socket server asks of the rest of the product: functions that app.py hands in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from realtime.events import Fact
from realtime.snapshot import Asset, Snapshot
from realtime.views import TaskView


class Principal(Protocol):
    """Who a socket speaks for, as `Doors.authenticate` returns it."""

    @property
    def id(self) -> int:
        """User id."""

    @property
    def kind(self) -> str:
        """`paired` marks a headset: it gets the AR bodies instead of the facts."""


@dataclass(frozen=True, slots=True)
class FactsPage:
    """Facts after a sequence number, in order, and the newest number."""

    seq: int
    facts: Sequence[Fact]


@dataclass(frozen=True, slots=True)
class Doors:
    """What push asks of the server; app.py hands it in. Any of them may raise a database error: the caller says so."""

    authenticate: Callable[[Mapping[str, Any], object], Any | None]
    still_valid: Callable[[Any], bool]
    may_ask: Callable[[Any, str], bool]
    sees_asset: Callable[[Any, Asset], bool]
    sees_fact: Callable[[Any, Fact], bool]
    facts_since: Callable[[int | None, int], FactsPage | None]
    latest: Callable[[Sequence[int]], Mapping[int, tuple[int, float, int]]]
    last_good: Callable[[Sequence[int]], Mapping[int, tuple[int, float]]]
    task_view: Callable[[Any, int, Snapshot], TaskView | None]
    ar_events: Callable[[Any, Fact], list[tuple[str, dict[str, Any]]]]
