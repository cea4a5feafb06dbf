"""Publishes readings of the tags B0000.. at a steady rate and prints what it did as JSON; a program of its own.

value = CLOCK_MONOTONIC of sending, which every process of this machine shares; timestamp = wall clock in ms, seq = a running number.
"""

from __future__ import annotations

import argparse
import json
import time

from bench.mqtt_wire import Acks, connect, publish, text

SLICE_S = 0.002
WINDOW = 20_000  # unacknowledged publishes at QoS 1


def tag_name(number: int) -> str:
    """Name of the nth tag."""
    return f"B{number:04d}"


def reading(number: int, tags: int, seq: int) -> str:
    """One reading as JSON."""
    return f'{{"tag":"{tag_name(number % tags)}","timestamp":{time.time_ns() // 1_000_000},"value":{time.monotonic():.6f},"seq":{seq}}}'


def main() -> None:
    """Run for `seconds` at `rate` readings a second."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    for name in ("--rate", "--seconds"):
        parser.add_argument(name, type=float, required=True)
    for name, default in (("--qos", 0), ("--tags", 1000), ("--per-message", 1), ("--first-seq", 0)):
        parser.add_argument(name, type=int, default=default)
    parser.add_argument("--root", default="readings")
    options = parser.parse_args()
    sock = connect(options.url, f"bench-publisher-{options.first_seq}")
    acks = Acks(sock)
    topics = [text(f"{options.root}/{tag_name(i)}") for i in range(options.tags)]
    line = text(f"{options.root}/line")
    sent = messages = 0
    began = time.monotonic()
    while (now := time.monotonic() - began) < options.seconds:
        due = int(now * options.rate) - sent
        out = bytearray()
        for _ in range(due // options.per_message):
            mid = messages % 65_535 + 1
            if options.per_message == 1:
                body = reading(sent, options.tags, options.first_seq + sent).encode()
                out += publish(topics[sent % options.tags], body, options.qos, mid)
            else:
                rows = (reading(sent + i, options.tags, options.first_seq + sent + i) for i in range(options.per_message))
                out += publish(line, f"[{','.join(rows)}]".encode(), options.qos, mid)
            sent += options.per_message
            messages += 1
        if out:
            sock.sendall(out)
        while options.qos and messages - acks.count > WINDOW:
            acks.take(1.0)
        if options.qos:
            acks.take(0.0)
        time.sleep(SLICE_S)
    last_at = time.monotonic()
    while options.qos and acks.count < messages:
        acks.take(5.0)
    print(json.dumps({"sent": sent, "messages": messages, "seconds": last_at - began, "last_at": last_at}))
    sock.close()


if __name__ == "__main__":
    main()
