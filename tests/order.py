"""The order in which files are handed to the workers of `--dist loadfile`; needs `--no-loadscope-reorder`, which hands them as they come.

pytest-xdist's own order is by number of tests. Files that start the whole product have few tests, so they would begin last, all at the same
time, and one worker would end minutes after the others. They mostly wait: begun early, one between two files that compute, they cost least.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

WAITING = (
    "tests/flow/",
    "tests/browser/",
    "tests/plc/test_mqtt_durability.py",
    "tests/plc/test_promises.py",
)
BETWEEN = 2  # files that compute after each that waits


def order_of_files(counts: dict[str, int]) -> list[str]:
    """Names of files by their numbers of tests: one that waits, then BETWEEN that compute, each kind with the largest first."""
    largest_first = sorted(counts, key=lambda name: (-counts[name], name))
    waiting = [name for name in largest_first if name.startswith(WAITING)]
    computing = [name for name in largest_first if not name.startswith(WAITING)]
    ordered: list[str] = []
    for at, name in enumerate(waiting):
        ordered += [name, *computing[at * BETWEEN : (at + 1) * BETWEEN]]
    return ordered + computing[len(waiting) * BETWEEN :]


def in_order(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """The tests by file in `order_of_files`, those of a file as they came."""
    files: dict[str, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.nodeid.split("::", 1)[0], []).append(item)
    counts = {name: len(tests) for name, tests in files.items()}
    return [item for name in order_of_files(counts) for item in files[name]]
