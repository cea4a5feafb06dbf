"""Which tag each monitored item of a session is, as columns: for runs of changes (`opcua_wire.Run`)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from realtime.snapshot import Tag

Places = npt.NDArray[np.intp]


class Owned:
    """A picture of `Columns.owners`: by place, in the order of the item numbers."""

    def __init__(self, owners: Mapping[int, Tag]) -> None:
        numbers = sorted(owners)
        tags = [owners[number] for number in numbers]
        names = sorted({tag.group for tag in tags})
        self.numbers = np.array(numbers or [0], "u4")
        self.ids = np.array([tag.id for tag in tags] or [0], "u4")
        self.are_numbers = np.array([tag.kind == "f64" for tag in tags] or [False], bool)
        self.groups = names
        self._group = np.array([names.index(tag.group) for tag in tags] or [0], "i4")

    def places(self, numbers: npt.NDArray[np.uint32]) -> tuple[Places, npt.NDArray[np.bool_]]:
        """The place of each item number (n,), and whether it is anybody's; those that are nobody's have some place or other."""
        found = np.minimum(np.searchsorted(self.numbers, numbers), len(self.numbers) - 1)
        known: npt.NDArray[np.bool_] = self.numbers[found] == numbers
        return found, known & bool(self.groups)

    def newest(self, places: Places, t: npt.NDArray[np.int64]) -> dict[str, int]:
        """The newest of these times, by polling group."""
        if not len(places):
            return {}
        if len(self.groups) == 1:
            return {self.groups[0]: int(t.max())}
        of = self._group[places]
        return {self.groups[int(group)]: int(t[of == group].max()) for group in np.unique(of)}
