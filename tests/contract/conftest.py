"""Fixtures of the contract tests."""

from __future__ import annotations

import pytest

from realtime.bus import Bus
from tests.plc.harness import Tap


@pytest.fixture
def tap(bus: Bus) -> Tap:
    """A tap on this test's bus."""
    return Tap(bus)
