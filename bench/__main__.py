"""`make bench`, `python -m bench [history collectors pipeline]`: every figure of the documents, measured here and now.

Each bench is a program of its own (`python -m bench.history`), brings its own services and ends within a few minutes; one that does
not is ended and has failed, and the others go on.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys

BENCHES = (
    "alarm_budget",
    "api",
    "audit",
    "history",
    "collectors",
    "monitor",
    "mqtt_goals",
    "mqtt_kills",
    "novelty",
    "opcua",
    "picture",
    "pipeline",
    "s7",
    "spool",
    "writes",
)
PATIENCE_S = 20.0
LONGEST_S = 900  # what takes longer has failed; on a machine of its own none takes half of it


def ended(name: str) -> bool:
    """Run one bench to its end, LONGEST_S at most; whether it ended well. Its own children go with it."""
    process = subprocess.Popen([sys.executable, "-m", f"bench.{name}"], start_new_session=True)
    try:
        return process.wait(LONGEST_S) == 0
    except subprocess.TimeoutExpired:
        print(f"{name}: not ended after {LONGEST_S} s", file=sys.stderr)
        return False
    finally:
        if process.poll() is None:
            end_group(process)


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Ask the bench to take its services away, then end what is left of it."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def main(wanted: list[str]) -> int:
    """Run the named benches, or all; 1 when one failed, 2 for an unknown name."""
    for name in wanted:
        if name not in BENCHES:
            print(f"no bench {name}; there are {', '.join(BENCHES)}", file=sys.stderr)
            return 2
    failed = [name for name in wanted or BENCHES if not ended(name)]
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
