"""A 100 x 100 picture at 1 Hz from an OPC UA server to a browser's socket, the last row of PROTOCOLS.md 9; it says so where it falls short.

    .venv/bin/python -m bench.picture [--seconds 30]

The server is node-opcua (tests/peers), the way is the whole product (`run.py`), the viewer a Socket.IO client with the frame room that
asks for packed frames as our page does; each is unpacked. The picture is a warm plate with a hot spot and noise of 0.5 °C in each cell.
The tag's group is published each 200 ms. Latency is from the source's own time stamp to the client's event, all on one clock.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from typing import Any

import numpy as np
import socketio

from bench.instance import Instance, instance
from bench.mqtt_goals import row, verdict
from bench.opcua import URI, plant
from realtime.bus import now_ms
from realtime.packing import unpack

P95_MS, MOST_BYTES = 500.0, 12_288
FIRST_WITHIN_S = 60.0


def watch(manager: Instance, seconds: float) -> tuple[list[float], list[int]]:
    """Latencies in ms and bytes of the frames that came in `seconds` after the first."""
    late: list[float] = []
    sizes: list[int] = []
    first = threading.Event()
    client = socketio.Client(reconnection=False)

    @client.on("frame.taken")  # type: ignore[untyped-decorator]
    def taken(meta: dict[str, Any], body: bytes) -> None:
        assert len(unpack(body, meta["dtype"])) == 20_000
        late.append(now_ms() - meta["t"])
        sizes.append(len(body))
        first.set()

    client.connect(f"http://127.0.0.1:{manager.port}", auth={"token": manager.token}, transports=["websocket"])
    deadline = time.monotonic() + FIRST_WITHIN_S
    while not client.call("subscribe", {"frames": ["plate"], "packed": True}, timeout=20).get(
        "tags"
    ):  # the web process learns of the tag within seconds
        if time.monotonic() > deadline:
            raise RuntimeError("the web process does not know the tag")
        time.sleep(0.5)
    if not first.wait(FIRST_WITHIN_S):
        raise RuntimeError("no frame came")
    late.clear()
    sizes.clear()
    time.sleep(seconds)
    client.disconnect()
    return late, sizes


def main() -> int:
    """Print the row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0)
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, load average before {os.getloadavg()[0]:.1f}")
    with plant(1) as (port, _), instance(["spare"]) as manager:
        source = {"name": "plant", "driver": "opcua", "url": f"opc.tcp://127.0.0.1:{port}"}
        tags = [{"name": "plate", "addr": f"nsu={URI};s=plate", "kind": "frame", "asset": "BENCH-1", "unit": "°C"}]
        manager.call("PUT", "/api/sources", {"source": source, "groups": {"normal": "200ms"}, "tags": tags})
        late, sizes = watch(manager, options.seconds)
    p50, p95 = (float(np.percentile(late, q)) for q in (50, 95))
    met = p95 <= P95_MS and max(sizes) <= MOST_BYTES
    figures = f"{len(late)} frames, p50 {p50:.0f} ms, p95 {p95:.0f} ms, {max(sizes)} B a frame"
    row("100 x 100 at 1 Hz, source -> picture in a browser", figures, verdict(met, f"p95 <= {P95_MS:g} ms, <= 12 KB"))
    print(f"load average after {os.getloadavg()[0]:.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
