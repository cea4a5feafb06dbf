"""Simulated PLCs in a process of their own, so that what they cost is not counted.

python -m bench.s7_plant <plcs> <think ms> <pdu> <granted>.

Each serves DB1 of 16 KB, one job after the other. Prints their ports, then for each line on stdin what they counted; ends with stdin.
"""

from __future__ import annotations

import json
import struct
import sys

from tests.plc.hostile_s7 import HostileS7

SIZE = 16384


def main() -> None:
    """Serve until stdin closes."""
    count, think_ms, pdu, granted = (int(text) for text in sys.argv[1:5])
    memory = struct.pack(f">{SIZE // 4}f", *range(SIZE // 4))
    plcs = [HostileS7({(0x84, 1): bytearray(memory)}, pdu=pdu, granted=granted, think_s=think_ms / 1000) for _ in range(count)]
    print(json.dumps([plc.port for plc in plcs]), flush=True)
    for _ in sys.stdin:
        counted = [{"reads": plc.reads, "most_out": plc.most_out, "violations": plc.violations} for plc in plcs]
        print(json.dumps(counted), flush=True)


if __name__ == "__main__":
    main()
