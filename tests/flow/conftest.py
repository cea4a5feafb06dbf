"""Running demo instances for the tests of the whole way."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from realtime.embedded.home import remove_home
from tests.flow.plant import Plant


def started(**environment: str) -> Iterator[Plant]:
    """An instance on a folder of its own, gone without a trace at the end."""
    folder = Path(tempfile.mkdtemp(prefix="slf-"))
    folder.chmod(0o755)
    running = Plant(folder, **environment)
    yield running
    running.stop()
    remove_home(folder / "var")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def plant() -> Iterator[Plant]:
    """The demo plant, started by run.py."""
    yield from started()


@pytest.fixture(scope="module")
def short_proof_plant() -> Iterator[Plant]:
    """The same with a proof window of five running seconds."""
    yield from started(PROOF_WINDOW_SECONDS="5")
