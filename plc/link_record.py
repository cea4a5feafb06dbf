"""What a collector remembers of one link over its own end: when it last stood, and whether its loss was told.

A file whose time is that of the last good read; it says `lost` while the server believes the source lost. Touching it costs
microseconds, so it is as exact as a poll; after a power cut it may be older, which makes a gap longer, never shorter.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

log = logging.getLogger("plc.link_record")

LOST, LIVE = "lost\n", "live\n"
ELSEWHERE_MS = 500  # another collector tells every half a second: a gap may begin so much late, and never hides what that one still read


class LinkRecord:
    """Read once at the start, written since. was_good_ms: ms UTC of the last good read before this start, None before the first.

    elsewhere: the same and whether the loss was told, of another collector that had the source; the later one counts.
    """

    def __init__(self, path: Path, elsewhere: tuple[int, bool] | None = None) -> None:
        self.path = path
        self.is_lost = False
        self.was_good_ms: int | None = None
        self._complained = False
        if path.exists():
            self.was_good_ms = path.stat().st_mtime_ns // 1_000_000 or None
            self.is_lost = path.read_text("utf-8", errors="replace") == LOST
        if elsewhere is not None and elsewhere[0] > (self.was_good_ms or 0):
            self.was_good_ms, self.is_lost = elsewhere[0] + ELSEWHERE_MS, elsewhere[1]

    def good(self, t_ms: int) -> None:
        """The link was read at t_ms."""
        try:
            os.utime(self.path, ns=(t_ms * 1_000_000, t_ms * 1_000_000))
        except FileNotFoundError:
            self.tell(is_lost=self.is_lost, t_ms=t_ms)
        except OSError as error:
            self._complain(error)

    def tell(self, *, is_lost: bool, t_ms: int | None = None) -> None:
        """Loss or recovery has been told; the time of the last good read stays unless t_ms is one."""
        self.is_lost = is_lost
        try:
            at = t_ms * 1_000_000 if t_ms is not None else self.path.stat().st_mtime_ns if self.path.exists() else 0
            self.path.parent.mkdir(parents=True, exist_ok=True)
            draft = self.path.with_suffix(".new")
            draft.write_text(LOST if is_lost else LIVE, "utf-8")
            os.utime(draft, ns=(at, at))
            draft.replace(self.path)
        except OSError as error:
            self._complain(error)

    def _complain(self, error: OSError) -> None:
        """A full disk must not end the collecting."""
        if not self._complained:
            log.warning("%s: %s; a gap over a restart may not be recorded", self.path, error)
        self._complained = True
