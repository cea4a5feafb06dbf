"""An MQTT broker of our own: mosquitto where it is found (our configuration file), else amqtt; loopback, every user by name.

The configuration keeps what was acknowledged: persistence, no message-count limit (RELIABILITY.md 1, measured).
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import yaml
from pwdlib.hashers.argon2 import Argon2Hasher

from realtime.embedded.home import Home, spawn, stop
from realtime.errors import SettingsError

PRODUCT, PLANT = "sightline", "plant"
PLANT_TOPICS = ("readings/#", "machines/#")
STATUS_TOPIC = "sightline/status"  # what a stack light may read
PACKET_MAX = 256 * 1024
QUEUED_BYTES_MAX = 512 * 1024 * 1024


def free_port() -> int:
    """A TCP port on loopback that nobody held a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def find_mosquitto() -> str | None:
    """mosquitto on PATH or in the system's folders."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def mosquitto_hash(password: str) -> str:
    """A line of mosquitto's password file: $7$ = PBKDF2-SHA512, the format of mosquitto_passwd 2.0."""
    salt = secrets.token_bytes(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, 101)
    return f"$7$101${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


class EmbeddedBroker:
    """One broker process on a port of loopback; port and passwords are kept in a 0600 file over restarts."""

    name = "mqtt"

    def __init__(self, home: Home, bind: str | None = None, program: str | None = None, prefix: str = "") -> None:
        self.home = home
        self.folder = home.data / "mqtt"
        self.bind = bind
        self.plant_topics = [prefix + topic for topic in PLANT_TOPICS]
        self.status_topic = prefix + STATUS_TOPIC
        mosquitto = find_mosquitto()
        self.program = program or ("mosquitto" if mosquitto else "amqtt")
        self.mosquitto = mosquitto
        self.process: subprocess.Popen[bytes] | None = None
        home.own(self.folder)
        self.access = self._load_access(home.data / "mqtt-access.json")

    def _load_access(self, path: Path) -> dict[str, str]:
        if path.exists():
            return dict(json.loads(path.read_text("utf-8")))
        access = {"port": str(free_port()), PRODUCT: secrets.token_urlsafe(24), PLANT: secrets.token_urlsafe(24)}
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(access, file)
        return access

    def url(self, user: str = PRODUCT) -> str:
        """URL with the credentials of a user."""
        return f"mqtt://{user}:{self.access[user]}@127.0.0.1:{self.access['port']}"

    def start(self) -> None:
        """Write the configuration and start the broker; `ready` tells when it accepts connections."""
        command = self._mosquitto() if self.program == "mosquitto" else self._amqtt()
        self.process = spawn(command, log=self.home.data / "mqtt.log", uid=self.home.uid if self.program == "mosquitto" else None)

    def _write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text, "utf-8")
        path.chmod(0o600)
        if self.home.uid is not None:
            os.chown(path, self.home.uid, self.home.uid)
        return path

    def _mosquitto(self) -> list[str | Path]:
        if self.mosquitto is None:
            raise SettingsError("MQTT_URL", "mosquitto is not installed")
        users = "".join(f"{user}:{mosquitto_hash(self.access[user])}\n" for user in (PRODUCT, PLANT))
        rules = f"user {PRODUCT}\ntopic readwrite #\ntopic read $SYS/#\n\nuser {PLANT}\n"
        rules += "".join(f"topic write {topic}\n" for topic in self.plant_topics)
        rules += f"topic read {self.status_topic}\n\npattern write factory/%u/#\n"
        passwords, acl = self._write("passwords", users), self._write("acl", rules)
        listeners = [f"listener {self.access['port']} 127.0.0.1"]
        if self.bind:
            host, _, port = self.bind.rpartition(":")
            listeners.append(f"listener {port} {host}")
        lines = [
            *listeners,
            "allow_anonymous false",
            f"password_file {passwords}",
            f"acl_file {acl}",
            "persistence true",
            f"persistence_location {self.folder}/",
            "autosave_on_changes true",
            "autosave_interval 100",
            "max_queued_messages 0",
            f"max_queued_bytes {QUEUED_BYTES_MAX}",
            "max_inflight_messages 0",
            "persistent_client_expiration 7d",  # of a source that is no more: its queue would grow for ever
            f"max_packet_size {PACKET_MAX + 1024}",
            "set_tcp_nodelay true",
            "sys_interval 10",
        ]
        return [self.mosquitto, "-c", self._write("mosquitto.conf", "\n".join(lines) + "\n")]

    def _amqtt(self) -> list[str | Path]:
        hasher = Argon2Hasher()
        passwords = self._write("passwords", "".join(f"{u}:{hasher.hash(self.access[u])}\n" for u in (PRODUCT, PLANT)))
        listeners = {"default": {"type": "tcp", "bind": f"127.0.0.1:{self.access['port']}"}}
        if self.bind:
            listeners["plant"] = {"type": "tcp", "bind": self.bind}
        everything = ["#", "$SYS/#"]
        config = {
            "listeners": listeners,
            "plugins": {
                "amqtt.plugins.authentication.FileAuthPlugin": {"password_file": str(passwords)},
                "amqtt.plugins.topic_checking.TopicAccessControlListPlugin": {
                    "publish_acl": {PRODUCT: everything, PLANT: self.plant_topics},
                    "acl": {PRODUCT: everything, PLANT: [self.status_topic]},
                },
            },
        }
        return [sys.executable, Path(__file__).with_name("amqtt_program.py"), self._write("amqtt.yaml", yaml.safe_dump(config))]

    def ready(self) -> bool:
        """True when the port accepts a connection."""
        try:
            socket.create_connection(("127.0.0.1", int(self.access["port"])), timeout=1).close()
        except OSError:
            return False
        return True

    def wait_ready(self, timeout_s: float = 30.0) -> None:
        """Block until it accepts connections; raises SettingsError with the log's place when it does not."""
        deadline = time.monotonic() + timeout_s
        while not self.ready():
            if time.monotonic() > deadline or (self.process is not None and self.process.poll() is not None):
                raise SettingsError("DATA_DIR", f"the embedded broker did not start, see {self.home.data / 'mqtt.log'}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Clean stop; mosquitto writes its sessions."""
        if self.process is not None:
            stop(self.process)
