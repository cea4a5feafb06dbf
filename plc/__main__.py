"""The collectors: `python -m plc` runs one child process a protocol kind, `--kind s7` is such a child.

`check` tries one address or shows an area, `import` judges a list of tags.
"""

from __future__ import annotations

import argparse
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from importlib import import_module

from plc.collector import Collector, Seat, kinds_of
from plc.connector import KINDS
from plc.office import Office, office_for
from plc.probe_desk import ProbeDesk
from realtime import settings as settings_module
from realtime.bus import Bus
from realtime.errors import SettingsError
from realtime.supervise import backoff, configure_logging, stop_event

log = logging.getLogger("plc")

TURN_S = 0.5
STOP_WITHIN_S = 4.5
STEADY_S = 30.0
TOOLS = {"check": "plc.check", "import": "plc.import_check", "probe": "plc.probe"}


class Child:
    """One process of one kind; its stdin is a pipe of ours, so that it ends when we do, however we end."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.process: subprocess.Popen[bytes] | None = None
        self._waits: Iterator[float] = backoff()
        self._started = 0.0
        self._again_at = 0.0

    def keep_alive(self) -> None:
        """Start it, or start it again after a wait that grows while it keeps ending."""
        now = time.monotonic()
        if self.process is not None:
            code = self.process.poll()
            if code is None:
                return
            if now - self._started > STEADY_S:
                self._waits = backoff()
            self._again_at = now + next(self._waits)
            log.error("%s collector ended with %s; starting it again", self.kind, code)
            self.process = None
        if now >= self._again_at:
            self.process = subprocess.Popen([sys.executable, "-m", "plc", "--kind", self.kind], stdin=subprocess.PIPE)
            self._started = now

    def stop(self) -> None:
        """Ask it to end, and see to it."""
        if self.process is None:
            return
        self.process.terminate()
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            self.process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None


def supervise(office: Office, stop: threading.Event) -> None:
    """Run a child for every kind the plant has, until stop."""
    children: dict[str, Child] = {}
    try:
        while not stop.is_set():
            office.poll()
            wanted = kinds_of(office.snapshot, is_edge=office.is_edge) if office.snapshot else set()
            for kind in wanted - children.keys():
                children[kind] = Child(kind)
            for kind in children.keys() - wanted:
                children.pop(kind).stop()
            for child in children.values():
                child.keep_alive()
            office.beat(kinds=sorted(children))
            stop.wait(TURN_S)
    finally:
        for child in children.values():
            if child.process is not None:
                child.process.terminate()  # all at once, then wait for each
        for child in children.values():
            child.stop()


def _end_with_parent(stop: threading.Event) -> None:
    """Stop when the parent's end of stdin closes: a kill -9 of the parent leaves no collector behind."""

    def watch() -> None:
        while os.read(0, 1):  # not sys.stdin: its lock, held here, would abort the interpreter's end
            pass
        stop.set()

    threading.Thread(target=watch, name="parent", daemon=True).start()


def main(arguments: list[str]) -> int:
    """Entry point; returns the exit code."""
    if arguments[:1] and arguments[0] in TOOLS:
        return int(import_module(TOOLS[arguments[0]]).main(arguments[1:]))  # loaded now: their libraries are for those who need them
    parser = argparse.ArgumentParser(prog="python -m plc", description=__doc__)
    parser.add_argument("--kind", choices=sorted(KINDS), help="run the sources of this kind in this process")
    options = parser.parse_args(arguments)
    configure_logging()
    seat = None
    try:
        settings = settings_module.load()
        if not settings.sink:
            settings_module.require(settings, "redis_url")
        program = f"plc.{options.kind}" if options.kind else "plc"
        seat = Seat(settings.run_dir, options.kind) if options.kind else None
        copy = f"config-{options.kind}.json" if options.kind else "config.json"
        office = office_for(settings, program, seat.name if seat else program, copy=copy, fetches=options.kind is None)
    except SettingsError as error:
        log.error("%s", error)  # noqa: TRY400 - one line says it
        return 2
    stop = stop_event()
    if seat is None:
        desk = ProbeDesk(office.outlet) if isinstance(office.outlet, Bus) else None  # an edge answers no looks
        if desk is not None:
            desk.start()
        supervise(office, stop)
        return 0
    if not sys.stdin.isatty():
        _end_with_parent(stop)
    Collector(KINDS[options.kind], settings, office, seat).run(stop)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
