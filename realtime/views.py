"""What a client asked to see, resolved against the plant snapshot: a request becomes tag ids, or a refusal with a code.

Pure: who may see which asset is a function handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from realtime.errors import SightlineError
from realtime.live import Columns, Ids
from realtime.snapshot import Asset, Snapshot, Tag

MAX_TAGS = 2000
KEYS = {"assets", "tags", "frames", "overview", "task", "packed"}


class ViewRefused(SightlineError):
    """A subscription that cannot be; code is for programs, the message for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, eq=False, slots=True)
class TaskView:
    """Live values bound in one task, for an AR socket; `render` makes the body of `ar.live` from the newest columns."""

    tags: tuple[int, ...]
    render: Callable[[Columns], dict[str, Any]]


class View:
    """Tags whose values and frames a socket wants; compared by identity: equal requests are given the same object.

    packed: frames are wanted as `realtime.packing` makes them.
    """

    def __init__(
        self, tags: tuple[int, ...] = (), frames: tuple[int, ...] = (), task: TaskView | None = None, *, packed: bool = False
    ) -> None:
        self.frames = frames
        self.task = task
        self.ids: Ids = np.array(tags if task is None else task.tags, np.uint32)
        self.packed = packed
        self.key = (tags, frames, packed)


def _strings(value: object, key: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ViewRefused("invalid", f"{key}: a list of names is wanted")
    if len(value) > MAX_TAGS:
        raise ViewRefused("too_many", f"{len(value)} {key}; {MAX_TAGS} at most")
    return value


def _asset_ids(value: object) -> set[int]:
    if not isinstance(value, list) or not all(isinstance(item, int) and not isinstance(item, bool) for item in value):
        raise ViewRefused("invalid", "assets: a list of ids is wanted")
    return set(value)


def _named(snapshot: Snapshot, names: Iterable[str], visible: dict[int, Asset]) -> list[Tag]:
    known = snapshot.tag_by_name()
    tags: list[Tag] = []
    for name in names:
        tag = known.get(name)
        if tag is None or tag.asset not in visible:  # not visible reads as not there
            raise ViewRefused("unknown_tag", f"no tag {name[:80]}")
        tags.append(tag)
    return tags


def _overview(snapshot: Snapshot, visible: dict[int, Asset]) -> list[Tag]:
    """The first tags of every asset, as many an asset as fit under MAX_TAGS."""
    each = max(1, MAX_TAGS // max(1, len(visible)))
    taken = dict.fromkeys(visible, 0)
    tags: list[Tag] = []
    for tag in snapshot.tags:
        if tag.asset in taken and tag.kind != "frame" and taken[tag.asset] < each:
            taken[tag.asset] += 1
            tags.append(tag)
    return tags[:MAX_TAGS]


def _of_assets(snapshot: Snapshot, wanted: set[int], visible: dict[int, Asset]) -> list[Tag]:
    if unseen := wanted - visible.keys():
        raise ViewRefused("unknown_asset", f"no asset {min(unseen)}")
    return [tag for tag in snapshot.tags if tag.asset in wanted and tag.kind != "frame"]


def resolve(snapshot: Snapshot, request: object, sees: Callable[[Asset], bool]) -> tuple[View, list[Tag]]:
    """The view a request means and its tags, each once; raises ViewRefused. `task` is resolved by the caller."""
    if not isinstance(request, dict) or not request or not request.keys() <= KEYS:
        raise ViewRefused("invalid", f"an object with some of {', '.join(sorted(KEYS))} is wanted")
    visible = {asset.id: asset for asset in snapshot.assets if sees(asset)}
    tags: list[Tag] = []
    if request.get("overview"):
        tags += _overview(snapshot, visible)
    if "assets" in request:
        tags += _of_assets(snapshot, _asset_ids(request["assets"]), visible)
    if "tags" in request:
        tags += _named(snapshot, _strings(request["tags"], "tags"), visible)
    frames = _named(snapshot, _strings(request.get("frames", []), "frames"), visible)
    if other := [tag.name for tag in frames if tag.kind != "frame"]:
        raise ViewRefused("not_a_frame", f"{other[0]} is not an array tag")
    once = {tag.id: tag for tag in tags if tag.kind != "frame"}
    array = {tag.id: tag for tag in [*frames, *tags] if tag.kind == "frame"}
    if len(once) + len(array) > MAX_TAGS:
        raise ViewRefused("too_many", f"{len(once)} tags; {MAX_TAGS} at most")
    packed = request.get("packed") is True
    return View(tuple(sorted(once)), tuple(sorted(array)), packed=packed), [*once.values(), *array.values()]
