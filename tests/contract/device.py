"""What a new row of plc.connector.KINDS brings to the contract test: a file tests/contract/kinds/<kind>.py with CASE."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from realtime.embedded.home import Home
from realtime.snapshot import Source, Tag


@dataclass(frozen=True)
class Around:
    """What a device may need of the session's services."""

    mqtt_url: str
    mqtt_prefix: str
    bus_prefix: str
    home: Home


@dataclass(frozen=True)
class Device:
    """A real device with one number tag. say(value): it has this value from now on; stop, start: it goes away and comes back."""

    source: Source
    tag: Tag
    say: Callable[[float], Any]
    stop: Callable[[], Any]
    start: Callable[[], Any]


@dataclass(frozen=True)
class Case:
    """One protocol. wrong, right: addresses; dead(port): source config where nobody listens; device: a living one that says 6.25."""

    wrong: str
    right: str
    dead: Callable[[int], dict[str, Any]]
    device: Callable[[Around], AbstractContextManager[Device]]
