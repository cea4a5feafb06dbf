"""Packs tags into as few read jobs as the negotiated PDU allows (PROTOCOLS.md 1.5). Pure: it reads nothing itself.

Round trips decide everything on a PLC: 1,000 REAL tags spread over 16 KB are 34 / 19 / 11 jobs at PDU 240 / 480 / 960.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

MAX_ITEMS = 20  # real CPUs and the native server answer at most 20 items a job
REPLY_HEAD = 14  # 12 bytes header, 2 bytes parameters
ITEM_HEAD = 4  # return code, transport size, length
RESERVE = 4  # left free in every reply; counted in the prototype that was proven on the native server
REQUEST_HEAD = 14
REQUEST_ITEM = 12
MERGE_GAP = 5  # reading up to 5 bytes nobody asked for is cheaper than another item


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes of one tag: `db` is 0 outside data blocks. `alone`: never share an item (its neighbourhood failed)."""

    area: str
    db: int
    start: int
    length: int
    alone: bool = False

    @property
    def end(self) -> int:
        """First byte behind it."""
        return self.start + self.length


@dataclass(frozen=True, slots=True)
class Item:
    """One contiguous read; members are (index of the span, offset of its first byte in the item)."""

    area: str
    db: int
    start: int
    length: int
    members: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Job:
    """What one request asks for."""

    items: tuple[Item, ...]


def max_item_bytes(pdu: int) -> int:
    """The longest single read a PDU carries."""
    return pdu - REPLY_HEAD - ITEM_HEAD - RESERVE


def plan(spans: Sequence[Span], pdu: int, max_items: int = MAX_ITEMS) -> list[Job]:
    """Jobs that cover every span, a span never split over items unless it is longer than the PDU carries.

    Nothing outside the lowest..highest byte asked for is read, and nothing between two areas or blocks.
    A span longer than `max_item_bytes` becomes items of its own, each member carrying a negative offset for its later parts.
    """
    limit = max_item_bytes(pdu)
    order = sorted(range(len(spans)), key=lambda i: (spans[i].area, spans[i].db, spans[i].start, spans[i].end))
    small = [i for i in order if spans[i].length <= limit]
    most = min(max_items, (pdu - REQUEST_HEAD) // REQUEST_ITEM)
    jobs: list[Job] = []
    at = 0
    while at < len(small):
        job, at = _fill(spans, small, at, pdu, most)
        jobs.append(job)
    for i in order:
        if spans[i].length > limit:
            jobs += [Job((part,)) for part in _parts(i, spans[i], limit)]
    return jobs


def _parts(index: int, span: Span, limit: int) -> list[Item]:
    step = limit - limit % 2
    starts = range(0, span.length, step)
    return [Item(span.area, span.db, span.start + o, min(step, span.length - o), ((index, -o),)) for o in starts]


def _fill(spans: Sequence[Span], order: list[int], first: int, pdu: int, most: int) -> tuple[Job, int]:
    """Take as many spans as one job holds, from `first` on; returns the job and where the next starts."""
    runs = _Runs(most)
    last = first
    while last < len(order):
        runs.append(spans[order[last]])
        least, highest = runs.reply_bounds()
        room = pdu - RESERVE
        if runs.items() > most or least > room:
            break
        if highest > room and _reply_bytes(_items(spans, order[first : last + 1], most)) > room:
            break
        last += 1
    if last == first:
        last = first + 1  # one span always fits: longer ones went to _parts
    return Job(tuple(_items(spans, order[first:last], most))), last


class _Runs:
    """Bytes of the reply for the spans appended so far, cut at the largest gaps into at most `most` items."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.gaps: list[int] = []  # every gap > MERGE_GAP that may be cut, in order
        self.bytes = 0  # of the whole, gaps included
        self.cuts = 0  # cuts that must be made: another block, or a span that stands alone
        self._end = 0
        self._before: Span | None = None

    def append(self, span: Span) -> None:
        before = self._before
        if before is None or _must_cut(before, span):
            self.cuts += before is not None
            self.bytes += span.length
            self._end = span.end
        else:
            gap = span.start - self._end
            if gap > MERGE_GAP:
                self.gaps.append(gap)
            grown = max(self._end, span.end)
            self.bytes += grown - self._end
            self._end = grown
        self._before = span

    def items(self) -> int:
        return self.cuts + 1

    def reply_bounds(self) -> tuple[int, int]:
        """Bytes of the reply when no item needs a fill byte, and when every item does."""
        saved = sorted(self.gaps, reverse=True)[: max(self.most - self.items(), 0)]
        items = self.items() + len(saved)
        least = REPLY_HEAD + self.bytes - sum(saved) + items * ITEM_HEAD
        return least, least + items


def _reply_bytes(items: list[Item]) -> int:
    return REPLY_HEAD + sum(ITEM_HEAD + item.length + item.length % 2 for item in items)


def _must_cut(before: Span, span: Span) -> bool:
    return (before.area, before.db) != (span.area, span.db) or before.alone or span.alone


def _items(spans: Sequence[Span], chosen: list[int], most: int) -> list[Item]:
    must, gaps = _cut_places(spans, chosen)
    optional = sorted(gaps, reverse=True)[: most - len(must) - 1]
    cuts = sorted(must | {place for _gap, place in optional})
    bounds = [0, *cuts, len(chosen)]
    return [_item(spans, chosen[a:b]) for a, b in itertools.pairwise(bounds)]


def _cut_places(spans: Sequence[Span], chosen: list[int]) -> tuple[set[int], list[tuple[int, int]]]:
    must: set[int] = set()
    gaps: list[tuple[int, int]] = []
    end = spans[chosen[0]].end
    for place in range(1, len(chosen)):
        before, span = spans[chosen[place - 1]], spans[chosen[place]]
        if _must_cut(before, span):
            must.add(place)
            end = span.end
            continue
        if span.start - end > MERGE_GAP:
            gaps.append((span.start - end, place))
        end = max(end, span.end)
    return must, gaps


def _item(spans: Sequence[Span], members: list[int]) -> Item:
    first = spans[members[0]]
    end = max(spans[i].end for i in members)
    return Item(first.area, first.db, first.start, end - first.start, tuple((i, spans[i].start - first.start) for i in members))
