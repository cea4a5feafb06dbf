"""`python -m ml.evaluate FILE`: replay a labelled recording and compare the detectors (docs/monitoring.md)."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

from ml.evaluate.labelled import NotReadable, compared, read


def main(arguments: list[str]) -> int:
    """Print the table; 2 when the file cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m ml.evaluate", description="Replay a labelled CSV through the monitor's detectors.")
    parser.add_argument("file", type=Path, help="columns: time, channels..., label")
    parser.add_argument("--train", type=int, default=None, help="healthy readings at the start to learn from (30 %% of the file)")
    parser.add_argument("--false-alarm", type=float, default=1.0, help="cost of an alarm that begins in health (1)")
    parser.add_argument("--missed-hour", type=float, default=10.0, help="cost of an hour of fault without an alarm (10)")
    asked = parser.parse_args(arguments)
    try:
        found = compared(read(asked.file), asked.train)
    except (NotReadable, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(f"{'detector':<10} {'F1':>6} {'FAR %':>6} {'MAR %':>6} {'found':>7} {'delay s':>8} {'false':>6} {'cost':>8}\n")
    for name, one in sorted(found.items(), key=lambda pair: pair[1].cost(asked.false_alarm, asked.missed_hour)):
        events = f"{one.found}/{one.events}"
        cost = one.cost(asked.false_alarm, asked.missed_hour)
        delay = "-" if math.isnan(one.delay_s) else f"{one.delay_s:.0f}"
        sys.stdout.write(
            f"{name:<10} {one.f1:6.3f} {one.far:6.1f} {one.mar:6.1f} {events:>7} {delay:>8} {one.false_alarms:6d} {cost:8.2f}\n"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
