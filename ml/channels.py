"""The tags of one shard as arrays: a tag's slot is its row in every array of the monitor.

Built anew when the plant snapshot changes; state follows by key (see `ml.arrays`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ml.regimes import Condition, conditions
from ml.scoring import Flags, Floats, Ints
from realtime.snapshot import Asset, Snapshot, Tag

GREATEST_ID = 1_000_000  # up to here slots are looked up in a table of 8 MB at most, a tenth of a search's time


class Channels:
    """Slots of one shard, ascending by tag id. `asset` int64 (n,) row of the tag's asset in `assets`.

    members int64 (n_assets, width): slots of each asset's scored analogue tags, -1 where there are fewer;
    conditions: when each asset runs; running_slot, idle_slot int64 (n_assets,): the tags that say so, -1 for none.
    """

    def __init__(self, snapshot: Snapshot, shard: int) -> None:
        known = snapshot.asset_by_id()
        self.shard = shard
        self.snapshot = snapshot
        self.version = snapshot.version
        self.tags: tuple[Tag, ...] = tuple(
            sorted((t for t in snapshot.tags if t.shard == shard and t.asset in known and t.enabled), key=lambda t: t.id)
        )
        asset_ids = sorted({tag.asset for tag in self.tags})
        self.assets: tuple[Asset, ...] = tuple(known[i] for i in asset_ids)
        row = {asset: i for i, asset in enumerate(asset_ids)}
        self.slot_of = {tag.id: slot for slot, tag in enumerate(self.tags)}
        self.ids: npt.NDArray[np.uint32] = np.array([tag.id for tag in self.tags], np.uint32)
        self.table: Ints = self._table()
        self.asset: Ints = np.array([row[tag.asset] for tag in self.tags], np.int64)
        self.period_s: Floats = np.array([max(tag.period_s, 0.01) for tag in self.tags], np.float64)
        self.analogue: Flags = np.array([tag.kind == "f64" and tag.role is None for tag in self.tags], bool)
        self.source: Ints = _numbered([tag.source or "" for tag in self.tags])
        self.conditions: list[Condition] = conditions(self.assets, self.tags, snapshot.sources)
        self.running_slot: Ints = self._slots([one.tag for one in self.conditions])
        self.idle_slot: Ints = self._slots([one.idle for one in self.conditions])
        self.members: Ints = self.grouped(self.analogue)

    def __len__(self) -> int:
        return len(self.tags)

    def same_plant(self, other: Channels) -> bool:
        """True when both have the same tags of the same assets, which run by the same, whatever their snapshots' versions."""
        return self.tags == other.tags and self.asset_keys() == other.asset_keys() and self.conditions == other.conditions

    def slots_of(self, ids: npt.NDArray[np.uint32]) -> Ints:
        """int64 (n,) slots, -1 where the tag is not of this shard."""
        if len(self.table):
            return self.table.take(ids, mode="clip")
        if not len(self.ids):
            return np.full(len(ids), -1, np.int64)
        at = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        return np.where(self.ids[at] == ids, at, -1)

    def _table(self) -> Ints:
        """Slot by tag id, -1 elsewhere and at the end; empty where ids are too great for one."""
        last = int(self.ids.max(initial=0))
        table = np.full(last + 2 if last < GREATEST_ID else 0, -1, np.int64)
        if len(table):
            table[self.ids] = np.arange(len(self.ids))
        return table

    def grouped(self, keep: Flags) -> Ints:
        """int64 (n_assets, width) slots of each asset where `keep`, padded with -1."""
        lists: list[list[int]] = [[] for _ in self.assets]
        for slot in np.flatnonzero(keep):
            lists[self.asset[slot]].append(int(slot))
        width = max((len(slots) for slots in lists), default=0) or 1
        return np.array([slots + [-1] * (width - len(slots)) for slots in lists], np.int64).reshape(len(lists), width)

    def tag_keys(self) -> list[str]:
        """One stable key per slot."""
        return [str(tag.id) for tag in self.tags]

    def asset_keys(self) -> list[str]:
        """One stable key per asset row."""
        return [f"a{asset.id}" for asset in self.assets]

    def _slots(self, ids: Sequence[int | None]) -> Ints:
        return self.slots_of(np.array([0 if i is None else i for i in ids], np.uint32))


def _numbered(names: Sequence[str]) -> Ints:
    numbers = {name: i for i, name in enumerate(sorted(set(names)))}
    return np.array([numbers[name] for name in names], np.int64)
