"""Detector state as arrays with a key per row, so that it survives a restart and a change of the plant snapshot alike."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True)
class State:
    """keys: one per row of `arrays` (first axis); group_keys: the same for `group_arrays`, for detectors that also count assets."""

    keys: tuple[str, ...]
    arrays: Arrays
    group_keys: tuple[str, ...] = ()
    group_arrays: Arrays = field(default_factory=dict)


def without(state: State, gone: Collection[str]) -> State:
    """The state but for the rows of these keys."""

    def kept(keys: tuple[str, ...], arrays: Arrays) -> tuple[tuple[str, ...], Arrays]:
        keep = np.array([key not in gone for key in keys], bool)
        rows = {name: array[keep] if len(array) == len(keys) else array for name, array in arrays.items()}
        return tuple(key for key in keys if key not in gone), rows

    return State(*kept(state.keys, state.arrays), *kept(state.group_keys, state.group_arrays))


class Keyed:
    """Owner of state arrays: `STATE` names those with one row per key, `GROUP_STATE` those with one row per group key."""

    STATE: tuple[str, ...] = ()
    GROUP_STATE: tuple[str, ...] = ()
    keys: Sequence[str] = ()
    group_keys: Sequence[str] = ()

    def export(self) -> State:
        """A copy of the state, to be saved."""
        return State(
            tuple(self.keys),
            {name: getattr(self, name).copy() for name in self.STATE},
            tuple(self.group_keys),
            {name: getattr(self, name).copy() for name in self.GROUP_STATE},
        )

    def adopt(self, state: State) -> None:
        """Take over the rows whose key is here; rows without a former self stay as new. An array of another shape is ignored."""
        self._adopt(self.keys, self.STATE, state.keys, state.arrays)
        self._adopt(self.group_keys, self.GROUP_STATE, state.group_keys, state.group_arrays)

    def _adopt(self, keys: Sequence[str], names: Sequence[str], former_keys: Sequence[str], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        former = {key: i for i, key in enumerate(former_keys)}
        pairs = [(i, former[key]) for i, key in enumerate(keys) if key in former]
        if not pairs:
            return
        here, there = (np.array(column) for column in zip(*pairs, strict=True))
        for name in names:
            mine = getattr(self, name)
            theirs = arrays.get(name)
            if theirs is not None and len(theirs) == len(former_keys) and theirs.shape[1:] == mine.shape[1:] and theirs.dtype == mine.dtype:
                mine[here] = theirs[there]
