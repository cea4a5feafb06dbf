"""`make bench`, `python -m bench [history collectors pipeline]`: every figure of the documents, measured here and now.

Each bench is a program of its own (`python -m bench.history`), brings its own services and ends within a few minutes.
"""

from __future__ import annotations

import subprocess
import sys

BENCHES = (
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
LONGEST_S = 600


def main(wanted: list[str]) -> int:
    """Run the named benches, or all; 1 when one failed, 2 for an unknown name."""
    for name in wanted:
        if name not in BENCHES:
            print(f"no bench {name}; there are {', '.join(BENCHES)}", file=sys.stderr)
            return 2
    failed = [
        name
        for name in wanted or BENCHES
        if subprocess.run([sys.executable, "-m", f"bench.{name}"], timeout=LONGEST_S, check=False).returncode
    ]
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
