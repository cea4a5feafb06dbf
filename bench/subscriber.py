"""A plain subscriber: counts what the broker delivers, acknowledges at QoS 1, stores nothing; prints JSON. A program of its own."""

from __future__ import annotations

import argparse
import json
import select
import sys
import time

from bench.mqtt_wire import connect, packet, take_packets, text

QUIET_S = 2.0


def main() -> None:
    """Count until nothing has come for QUIET_S."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("topic")
    parser.add_argument("--qos", type=int, default=0)
    options = parser.parse_args()
    sock = connect(options.url, "bench-subscriber")
    sock.sendall(packet(0x82, b"\0\1" + text(options.topic) + bytes([options.qos])))
    sock.recv(5)
    print("ready", flush=True)
    buffer, count = bytearray(), 0
    first = last = 0.0
    while select.select([sock], [], [], QUIET_S if count else 30.0)[0]:
        data = sock.recv(1 << 18)
        if not data:
            break
        last = time.monotonic()
        first = first or last
        buffer += data
        taken, mids = take_packets(buffer)
        count += taken
        if mids:
            sock.sendall(b"".join(b"\x40\2" + mid for mid in mids))
    json.dump({"count": count, "seconds": last - first}, sys.stdout)


if __name__ == "__main__":
    main()
