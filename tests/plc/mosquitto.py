"""A mosquitto of a test's own: own port, own folder, the configuration file that we ship, TLS and users where wanted."""

from __future__ import annotations

import os
import pwd
import socket
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from realtime.embedded.mqtt_broker import find_mosquitto
from tests.plc.harness import ROOT, free_port
from tests.waiting import wait_for

SHIPPED = ROOT / "deploy" / "mosquitto.conf"


def answers(port: int) -> bool:
    """True when something listens there."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@dataclass
class Mosquitto:
    """One broker; `more` are lines of its configuration. As root it keeps that user, so that any folder will do."""

    folder: Path
    more: list[str] = field(default_factory=lambda: ["allow_anonymous true"])
    shipped: bool = True
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Without credentials."""
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> Mosquitto:
        """Write the file, start, wait for the port."""
        program = find_mosquitto()
        assert program, "mosquitto is not installed; see docs/testing.md"
        self.folder.mkdir(parents=True, exist_ok=True)
        ours = [f"user {pwd.getpwuid(os.getuid()).pw_name}", f"listener {self.port} 127.0.0.1", *self.more]
        base = (SHIPPED.read_text("utf-8") if self.shipped else "") + f"persistence_location {self.folder}/\n"
        (self.folder / "mosquitto.conf").write_text(base + "\n".join(ours) + "\n", "utf-8")
        with (self.folder / "mosquitto.log").open("ab") as log:
            self.process = subprocess.Popen([program, "-c", self.folder / "mosquitto.conf"], stdout=log, stderr=log)
        wait_for(lambda: answers(self.port), what=f"mosquitto: {(self.folder / 'mosquitto.log').read_text('utf-8')}")
        return self

    def kill(self) -> None:
        """kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self) -> None:
        """Clean stop; it writes its sessions."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)
