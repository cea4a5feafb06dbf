"""Keeps child programs running: restart with back-off, one line a state change, stop in reverse order.

run.py says which programs; this module knows none of them.
"""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from realtime.embedded.home import spawn, stop
from realtime.supervise import backoff

log = logging.getLogger("run")
STEADY_S = 30.0  # after this long alive, the next fall starts with a short wait again
STOP_S = 8.0


class Child(Protocol):
    """Something that runs as a process: an embedded service or a program of ours."""

    name: str
    process: subprocess.Popen[bytes] | None

    def start(self) -> None:
        """Start it as a direct child."""

    def stop(self) -> None:
        """End it and reap it."""


@dataclass
class Program:
    """One program of ours, its output on our own stderr."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it."""
        self.process = spawn([sys.executable, *self.command], environment=self.environment, folder=self.folder)

    def stop(self) -> None:
        """SIGTERM, then SIGKILL for who does not listen."""
        if self.process is not None:
            stop(self.process, timeout_s=STOP_S)


@dataclass
class _Watch:
    child: Child
    waits: Iterator[float] = field(default_factory=backoff)
    started: float = 0.0
    due: float | None = None


class Supervisor:
    """Starts children in order, restarts the fallen, stops all in reverse order."""

    def __init__(self) -> None:
        self._watches: list[_Watch] = []

    def add(self, child: Child) -> None:
        """Watch a child, starting it unless it runs."""
        if child.process is None:
            child.start()
        self._watches.append(_Watch(child, started=time.monotonic()))

    def tend(self) -> None:
        """One look at every child; call it a few times a second."""
        now = time.monotonic()
        for watch in self._watches:
            process = watch.child.process
            if watch.due is not None:
                if now >= watch.due:
                    watch.due, watch.started = None, now
                    watch.child.start()
                continue
            code = None if process is None else process.poll()
            if code is not None:
                if now - watch.started > STEADY_S:
                    watch.waits = backoff()
                wait = next(watch.waits)
                log.warning("%s ended with %s; starting it again in %.1f s", watch.child.name, code, wait)
                watch.due = now + wait

    def stop(self) -> None:
        """Programs are asked all at once and then waited for; services stop after them, last started first."""
        for watch in self._watches:
            process = watch.child.process
            if isinstance(watch.child, Program) and process is not None and process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for watch in reversed(self._watches):
            watch.child.stop()
        self._watches.clear()
