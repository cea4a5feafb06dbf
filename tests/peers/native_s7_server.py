"""The native (C) snap7 server of python-snap7 1.4.1, run in tests/peers/.venv.

Serves DB numbers given as JSON {number: hex} on stdin, at most "pdu" bytes a PDU. Prints the port it listens on; ends when stdin closes.
"""

import ctypes
import json
import socket
import sys

from snap7.server import Server
from snap7.types import PDURequest, srvAreaCT, srvAreaDB, srvAreaMK, srvAreaTM

OTHERS = {"M": srvAreaMK, "T": srvAreaTM, "C": srvAreaCT}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def main() -> None:
    blocks = json.loads(sys.stdin.readline())
    server = Server(log=False)
    pdu = blocks.pop("pdu", None)
    if pdu:
        server.set_param(PDURequest, pdu)
    held = []  # the server keeps pointers into these
    for number, hexed in blocks.items():
        raw = bytes.fromhex(hexed)
        area = (ctypes.c_uint8 * len(raw)).from_buffer_copy(raw)
        held.append(area)
        if number in OTHERS:
            server.register_area(OTHERS[number], 0, area)
        else:
            server.register_area(srvAreaDB, int(number), area)
    port = free_port()
    server.start_to("127.0.0.1", port)
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    sys.stdin.read()
    server.stop()


main()
