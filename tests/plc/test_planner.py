"""The read planner: every tag covered, no job beyond the PDU, few round trips."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plc.planner import ITEM_HEAD, MAX_ITEMS, REPLY_HEAD, REQUEST_HEAD, REQUEST_ITEM, Job, Span, plan

PDUS = (240, 480, 960)
spans = st.builds(
    Span,
    area=st.sampled_from(["DB", "M", "I"]),
    db=st.integers(1, 3),
    start=st.integers(0, 3000),
    length=st.sampled_from([1, 2, 4, 8, 12, 22, 256]),
    alone=st.sampled_from([False, False, False, True]),
)


def reply_bytes(job: Job) -> int:
    return REPLY_HEAD + sum(ITEM_HEAD + item.length + item.length % 2 for item in job.items)


@given(st.lists(spans, max_size=120), st.sampled_from(PDUS))
def test_every_tag_is_covered_and_no_job_is_larger_than_the_pdu(wanted: list[Span], pdu: int) -> None:
    jobs = plan(wanted, pdu)

    covered = [0] * len(wanted)
    for job in jobs:
        assert 1 <= len(job.items) <= MAX_ITEMS
        assert reply_bytes(job) <= pdu
        assert REQUEST_HEAD + REQUEST_ITEM * len(job.items) <= pdu
        for item in job.items:
            for index, offset in item.members:
                span = wanted[index]
                assert (span.area, span.db) == (item.area, item.db)
                assert item.start + offset == span.start
                covered[index] += min(item.length, span.length) if offset <= 0 and span.length > item.length else span.length
    assert covered == [span.length for span in wanted]


@given(st.lists(spans, min_size=1, max_size=120), st.sampled_from(PDUS))
def test_nothing_outside_the_lowest_and_highest_known_byte_is_read(wanted: list[Span], pdu: int) -> None:
    lowest: dict[tuple[str, int], int] = {}
    highest: dict[tuple[str, int], int] = {}
    for span in wanted:
        key = (span.area, span.db)
        lowest[key] = min(lowest.get(key, span.start), span.start)
        highest[key] = max(highest.get(key, span.end), span.end)

    for job in plan(wanted, pdu):
        for item in job.items:
            assert lowest[item.area, item.db] <= item.start
            assert item.start + item.length <= highest[item.area, item.db]


@given(st.lists(spans, max_size=80), st.sampled_from(PDUS))
def test_a_tag_that_stands_alone_shares_no_item(wanted: list[Span], pdu: int) -> None:
    for job in plan(wanted, pdu):
        for item in job.items:
            assert len(item.members) == 1 or not any(wanted[index].alone for index, _ in item.members)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("pdu", "most"), [(240, 36), (480, 19), (960, 11)])
def test_jobs_of_a_thousand_reals_scattered_over_16_kb(seed: int, pdu: int, most: int) -> None:
    scattered = [Span("DB", 1, offset, 4) for offset in random.Random(seed).sample(range(0, 16384, 4), 1000)]

    assert len(plan(scattered, pdu)) <= most


@pytest.mark.parametrize(("pdu", "bound"), [(240, 19), (480, 9), (960, 5)])
def test_dense_tags_cost_no_more_than_their_bytes(pdu: int, bound: int) -> None:
    assert len(plan([Span("DB", 1, 4 * n, 4) for n in range(1000)], pdu)) == bound
