"""Makes old batches smaller without losing their shape: of each tag and span the first, the last, the lowest and the highest. Pure.

A change of quality is always kept, so that gaps stay exact; of texts every change is kept, of pictures one a span.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from realtime.events import Batch

MINUTE_MS = 60_000

Flags = npt.NDArray[np.bool_]


def thinned(batches: Sequence[Batch], span_ms: int = MINUTE_MS) -> list[Batch]:
    """At most as many batches as came, one a shard, kind and set of flags, each tag's readings in the order they came."""
    groups: dict[tuple[Any, ...], list[Batch]] = {}
    for batch in batches:
        groups.setdefault((batch.shard, batch.source, batch.kind, batch.flags), []).append(batch.for_history())
    joined = (_joined(group) for group in groups.values())
    made = (batch.take(_wanted(batch, span_ms)) for batch in joined if len(batch))
    return list(made)


def _joined(batches: Sequence[Batch]) -> Batch:
    columns: dict[str, Any] = {name: np.concatenate([getattr(batch, name) for batch in batches]) for name in ("ids", "t", "quality", "seq")}
    if batches[0].kind == "f64":
        values: Any = np.concatenate([batch.numbers() for batch in batches])
    else:
        values = [value for batch in batches for value in batch.values]
    return replace(batches[0], values=values, **columns)


def _wanted(batch: Batch, span_ms: int) -> Flags:
    """bool (n,): what is kept."""
    minute = batch.t // span_ms
    order = np.lexsort((np.arange(len(batch)), minute, batch.ids))  # by tag and minute, else as they came
    ids, minutes, quality = batch.ids[order], minute[order], batch.quality[order]
    same_tag = np.concatenate([[False], ids[1:] == ids[:-1]])
    starts = ~(same_tag & np.concatenate([[False], minutes[1:] == minutes[:-1]]))
    turns = np.concatenate([[True], quality[1:] != quality[:-1]]) & same_tag
    wanted = starts | turns
    if batch.kind != "frame":
        wanted |= np.concatenate([starts[1:], [True]])
    if batch.kind == "text":
        words = np.array(batch.texts(), object)[order]
        wanted |= same_tag & np.concatenate([[False], words[1:] != words[:-1]])
    elif batch.kind == "f64":
        wanted |= _extremes(batch.numbers()[order], np.flatnonzero(starts))
    kept = np.zeros(len(batch), bool)
    kept[order[wanted]] = True
    return kept


def _extremes(values: npt.NDArray[np.float64], starts: npt.NDArray[np.intp]) -> Flags:
    """The first lowest and the first highest value of each run that begins at `starts`."""
    run = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(values)))
    found = np.zeros(len(values), bool)
    for sign in (1.0, -1.0):
        signed = np.where(np.isnan(values), np.inf, sign * values)
        best = np.minimum.reduceat(signed, starts)
        hits = np.flatnonzero((signed == best[run]) & np.isfinite(signed))
        found[hits[np.unique(run[hits], return_index=True)[1]]] = True
    return found
