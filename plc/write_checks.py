"""What plc/commands.py asks before a write: the allow-list as it is now, whether somebody works on the machine, and how often it wrote."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from plc.addressing.write_list import WriteEntry, WriteList, WriteListError, parse
from plc.write_act import Refusal
from realtime.guarded_file import Unguarded, read_guarded
from realtime.settings import Settings
from realtime.snapshot import Snapshot

SOURCE_EVERY_S = 1.0
MOST_A_MINUTE = 10


def load_list(settings: Settings) -> WriteList:
    """The allow-list as it is now; raises Refusal where it is not protected or not readable."""
    try:
        return parse(read_guarded(settings.plc_write_list, settings.data_dir).text)
    except (Unguarded, WriteListError) as error:
        raise Refusal("list", str(error)) from error


def family_in_work(snapshot: Snapshot | None, entry: WriteEntry, now: int) -> bool:
    """Whether the tag's machine, what it is part of or a part of it is in maintenance mode; raises Refusal for a tag of another."""
    tag = snapshot.tag_by_name().get(entry.tag) if snapshot else None
    if snapshot is None or tag is None:
        raise Refusal("unknown_tag", f"{entry.tag} is no tag of the plant")
    assets = snapshot.asset_by_id()
    if tag.asset not in assets or assets[tag.asset].code != entry.machine:
        raise Refusal("unknown_tag", f"{entry.tag} does not belong to {entry.machine}")
    family = {tag.asset}
    above: int | None = assets[tag.asset].parent
    while above is not None and above in assets and above not in family:
        family.add(above)
        above = assets[above].parent
    below = {tag.asset}
    while below:
        below = {asset.id for asset in snapshot.assets if asset.parent in below} - family
        family |= below
    return any(window.asset in family and window.until > now for window in snapshot.maintenance)


class Rate:
    """One write a second to each source, ten a minute in all."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sent: deque[tuple[float, str]] = deque(maxlen=MOST_A_MINUTE)

    def take(self, source: str) -> None:
        """Count one; raises Refusal where it is too many."""
        now = self._clock()
        if any(name == source and now - at < SOURCE_EVERY_S for at, name in self._sent):
            raise Refusal("rate", f"at most one write a second to {source}")
        if len(self._sent) == MOST_A_MINUTE and now - self._sent[0][0] < 60:
            raise Refusal("rate", f"at most {MOST_A_MINUTE} writes a minute")
        self._sent.append((now, source))
