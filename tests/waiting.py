"""Wait for a condition with a deadline; tests never sleep for a fixed time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
PATIENCE = 3.0  # a deadline says when a wait has failed, not how fast the product is: CI's machine may be busy


def wait_for(predicate: Callable[[], T], timeout_s: float = 10.0, what: str = "the condition", every_s: float = 0.02) -> T:
    """The first truthy answer of `predicate`; fails with the last answer when PATIENCE times `timeout_s` have passed."""
    deadline = time.monotonic() + timeout_s * PATIENCE
    answer = predicate()
    while not answer:
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout_s * PATIENCE} s for {what}; last answer {answer!r}")
        time.sleep(every_s)
        answer = predicate()
    return answer
