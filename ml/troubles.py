"""One log line when something breaks and one when it is back."""

from __future__ import annotations

import logging

log = logging.getLogger("ml")


class Troubles:
    """What is broken at present."""

    def __init__(self) -> None:
        self._standing: set[str] = set()

    def now(self, what: str, why: str) -> None:
        """It fails; logged the first time."""
        if what not in self._standing:
            log.warning("%s: %s; retrying", what, why)
        self._standing.add(what)

    def over(self, what: str) -> None:
        """It works; logged when it did not before."""
        if what in self._standing:
            log.info("%s: back", what)
        self._standing.discard(what)
