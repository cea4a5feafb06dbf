"""What each tag of a source last said: the value that stands, its quality and since when. Columnar; time is in the samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from plc.connector import Readings, numbers
from plc.scaling import Places, TagColumns
from realtime.events import Quality, Reason, quality_byte
from realtime.snapshot import Tag

STALE = quality_byte(Quality.UNCERTAIN, Reason.STALE)
NEVER = np.iinfo(np.int64).min
SHOWN = 100  # tags that are not good, told one by one; the rest are a number

Times = npt.NDArray[np.int64]


class Standing:
    """Last value, time and quality by the place of the tag in `columns.ids`; a new configuration keeps what it still knows."""

    def __init__(self, columns: TagColumns, former: Standing | None = None) -> None:
        n = len(columns.ids)
        self.columns = columns
        self.t = np.full(n, NEVER)
        self.value = np.full(n, np.nan)
        self.quality = np.zeros(n, "u1")
        self.good_t = np.full(n, NEVER)
        self.since = np.full(n, NEVER)
        self.words: dict[int, str] = former.words if former else {}
        if former is not None and len(former.columns.ids):
            _, mine, theirs = np.intersect1d(columns.ids, former.columns.ids, assume_unique=True, return_indices=True)
            for name in ("t", "value", "quality", "good_t", "since"):
                getattr(self, name)[mine] = getattr(former, name)[theirs]

    def note(self, part: Readings, places: Places) -> None:
        """Take samples, the newest of each tag last; what is older than what stands, and replays, change nothing."""
        if part.replay:
            return
        newer = part.t >= self.t[places]
        is_whole = bool(newer.all())
        t, quality, values = part.t, part.quality, part.values
        if not is_whole:
            places, t, quality = places[newer], t[newer], quality[newer]
            values = values[newer] if isinstance(values, np.ndarray) else [v for v, new in zip(values, newer, strict=True) if new]  # type: ignore[assignment]
        turned = (quality != self.quality[places]) | (self.t[places] == NEVER)
        if turned.any():
            self.since[places[turned]] = t[turned]
        self.t[places] = t
        self.quality[places] = quality
        if quality.any():
            good = quality & 3 == Quality.GOOD
            self.good_t[places[good]] = t[good]
        else:
            self.good_t[places] = t
        if isinstance(values, np.ndarray):
            known = values == values  # noqa: PLR0124 - not NaN
            self.value[places[known]] = values[known]
        elif part.kind == "text":
            self.words.update({int(self.columns.ids[i]): str(word) for i, word in zip(places, values, strict=True)})

    def stale(self, tags: Sequence[Tag], t_ms: int) -> list[Readings]:
        """One uncertain (STALE) sample with the value that stands, of each of these tags that was good last; see `after`."""
        ids = np.sort(np.array([tag.id for tag in tags], "u4"))
        places = self.columns.places(ids)
        fit = (self.t[places] != NEVER) & (self.quality[places] & 3 == Quality.GOOD)
        figures = [i for i in places[fit] if self.columns.tags[i].kind == "f64"]
        words = [self.columns.tags[i].id for i in places[fit] if self.columns.tags[i].kind == "text"]
        made: list[Readings] = []
        if figures:
            n = len(figures)
            made.append(numbers(self.columns.ids[figures].tolist(), [t_ms] * n, self.value[figures].tolist(), quality=STALE))
        if words:
            n = len(words)
            said = [self.words.get(i, "") for i in words]
            made.append(Readings(np.array(words, "u4"), np.full(n, t_ms, "i8"), said, np.full(n, STALE, "u1"), np.zeros(n, "u4"), "text"))
        return [self.after(part) for part in made]

    def after(self, part: Readings) -> Readings:
        """The same samples, none older than the newest of its tag: a device whose clock is ahead must not look live when it is lost."""
        newest = self.t[self.columns.places(part.ids)]
        return replace(part, t=np.maximum(part.t, newest + 1))

    def newest(self) -> int | None:
        """Source time of the newest sample of any tag; None before the first."""
        newest = int(self.t.max()) if len(self.t) else NEVER
        return None if newest == NEVER else newest

    def not_good(self, shown: int = SHOWN) -> tuple[int, list[dict[str, Any]]]:
        """How many tags are not good or were never heard, and the first `shown` of them; times ms UTC or None."""
        wrong = np.flatnonzero((self.quality & 3 != Quality.GOOD) | (self.t == NEVER))
        return len(wrong), [self._told(int(place)) for place in wrong[:shown]]

    def _told(self, place: int) -> dict[str, Any]:
        byte, never = int(self.quality[place]), self.t[place] == NEVER
        reason = "never" if never else Reason(byte >> 2).name.lower()
        good, since = (None if at == NEVER else int(at) for at in (self.good_t[place], self.since[place]))
        quality = int(Quality.BAD) if never else byte & 3
        return {"tag": self.columns.tags[place].name, "quality": quality, "reason": reason, "since": since, "last_good": good}
