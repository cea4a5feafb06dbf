"""The demo plant's history before its first start: asked of the simulator, written by the recorder's own code, over a pipe.

Both are programs of their own, since this folder may import neither.
"""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

from realtime.errors import SightlineError
from realtime.settings import Settings
from realtime.snapshot import Snapshot, save_copy

log = logging.getLogger("setup")

TIMEOUT_S = 300
ROOT = Path(__file__).resolve().parents[2]


class HistoryFailed(SightlineError):
    """The history could not be written; setting up again goes on from here."""


def write_history(settings: Settings, snapshot: Snapshot, end_ms: int, environment: dict[str, str]) -> None:
    """Run simulator | backfill to its end; raises HistoryFailed. Writing the same history twice changes nothing."""
    path = settings.run_dir / "seed-snapshot.json"
    save_copy(snapshot, path)
    hours = str(settings.demo_history_hours)
    make = [sys.executable, "-m", "plc.simulator", "--history", hours, "--end", str(end_ms), "--snapshot", str(path)]
    store = [sys.executable, "-m", "realtime.backfill", "--origin", "demo"]
    simulator = subprocess.Popen(make, stdout=subprocess.PIPE, env=environment, cwd=ROOT)
    try:
        done = subprocess.run(store, stdin=simulator.stdout, env=environment, cwd=ROOT, timeout=TIMEOUT_S, check=False)
        made = simulator.wait(TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise HistoryFailed(f"demo history took longer than {TIMEOUT_S} s") from error
    finally:
        if simulator.poll() is None:
            simulator.kill()
            simulator.wait()
        if simulator.stdout:
            simulator.stdout.close()
        path.unlink(missing_ok=True)
    if made or done.returncode:
        raise HistoryFailed(f"demo history was not written (simulator {made}, backfill {done.returncode}); its reason stands above")
