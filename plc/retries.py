"""How long to wait before a lost link is tried again. Pure but for the jitter."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from realtime.supervise import backoff

SOON = 6  # waits that a device back after a few seconds meets: 0.5 1 2 2 2 2


def retries() -> Iterator[float]:
    """Seconds before each attempt, for ever, +-20 %: at most 2.4 in the first nine seconds of an outage, at most 15.6 after."""
    yield from islice(backoff(cap_s=2.0), SOON)
    yield from backoff(first_s=4.0, cap_s=13.0)
