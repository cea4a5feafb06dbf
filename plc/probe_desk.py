"""Takes requests to look at a device from the bus, gives each a process and ten seconds, and puts the answer where it is waited for.

It runs beside the supervisor of the collectors and knows no protocol.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from typing import Any

import redis

from realtime.bus import Bus, now_ms
from realtime.probes import ANSWER_KEPT_S, AT_ONCE, REQUESTS, TIME_S, answer_key

log = logging.getLogger("plc.probe")

WAIT_S = 1
AWAY_S = 2.0
LONGEST = 2_000_000  # bytes of an answer


class ProbeDesk:
    """AT_ONCE threads that each serve one request at a time."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._serve, name=f"probe-{n}", daemon=True) for n in range(AT_ONCE)]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """No further request; one that runs ends with its process."""
        self._stop.set()

    def _serve(self) -> None:
        while not self._stop.is_set():
            try:
                taken: Any = self.bus.client.blpop([self.bus.key(REQUESTS)], timeout=WAIT_S)
            except redis.RedisError:
                self._stop.wait(AWAY_S)
                continue
            if taken is not None:
                self._answer(taken[1])

    def _answer(self, raw: bytes) -> None:
        try:
            request = json.loads(raw)
            name, until_ms = str(request["id"]), int(request["until_ms"])
        except (ValueError, KeyError, TypeError) as error:
            log.warning("a request that cannot be read: %s", error)
            return
        left_s = min((until_ms - now_ms()) / 1000, TIME_S)
        if left_s <= 0.5:
            return  # nobody waits any more
        answer = ask(raw, left_s)
        try:
            self.bus.client.set(self.bus.key(answer_key(name)), answer, ex=ANSWER_KEPT_S)
        except redis.RedisError as error:
            log.warning("an answer could not be given: %s", error)


def ask(request: bytes, within_s: float) -> bytes:
    """Run `python -m plc probe`; its answer, or one that says that it took too long or ended."""
    try:
        done = subprocess.run([sys.executable, "-m", "plc", "probe"], input=request, capture_output=True, timeout=within_s, check=False)
    except subprocess.TimeoutExpired:
        return _no(
            "timeout", f"no answer within {within_s:.0f} s", "check address, port and firewall; a device that is busy may need another try"
        )
    if done.returncode != 0 or not done.stdout or len(done.stdout) > LONGEST:
        log.error("probe ended with %d: %s", done.returncode, done.stderr[-500:].decode("utf-8", "replace"))
        return _no("protocol", f"the look at the device ended with {done.returncode}", "see the log of the collectors")
    return done.stdout


def _no(reason: str, detail: str, remedy: str) -> bytes:
    return json.dumps({"ok": False, "reason": reason, "detail": detail, "remedy": remedy}).encode()
