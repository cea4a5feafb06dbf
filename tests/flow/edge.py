"""A server with history and a TLS door before it, and a PLC that numbers its answers: what the edge tests need."""

from __future__ import annotations

import socket
import ssl
import struct
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from itertools import count
from pathlib import Path

import psycopg2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from realtime.bus import Bus
from realtime.recorder import Recorder
from server.auth import device_tokens
from server.database import Database
from server.models.feed import DeviceToken
from server.models.plant import Site
from tests.plc.harness import ROOT, RogueS7, environment_of, free_port, read_reply
from tests.waiting import wait_for

EDGE = "line 1"


class Server:
    """The web process and the recorder on the test's services; the site and the edge's token are there."""

    def __init__(self, folder: Path, database_url: str, redis_url: str, bus: Bus) -> None:
        self.port = free_port()
        self.database_url = database_url
        environment = environment_of(
            DATABASE_URL=database_url, REDIS_URL=redis_url, BUS_PREFIX=bus.prefix, PORT=str(self.port), DATA_DIR=str(folder)
        )
        folder.mkdir(parents=True, exist_ok=True)
        self.log = (folder / "app.log").open("wb")
        self.process = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=self.log, stderr=self.log)
        self._stop = threading.Event()
        self._recorder = Recorder(bus, database_url, self._stop)
        self._recording = threading.Thread(target=self._recorder.run, daemon=True)
        self._recording.start()
        self.site, self.token = self._registered()
        wait_for(self._is_up, timeout_s=60, what="the web process")

    def _is_up(self) -> bool:
        assert self.process.poll() is None, Path(self.log.name).read_text("utf-8")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/live", timeout=2) as answer:
                return int(answer.status) == 200
        except (urllib.error.URLError, OSError):
            return False

    def _registered(self) -> tuple[int, str]:
        database, secret = Database(self.database_url), device_tokens.new_secret()
        with database.transaction() as session:
            site = Site(code="E1", name="A site", time_zone="UTC")
            session.add(site)
            session.flush()
            made = datetime.now(UTC)
            session.add(DeviceToken(token_hash=device_tokens.digest(secret), kind="ingest", name=EDGE, site_id=site.id, created_at=made))
            number = site.id
        database.close()
        return number, secret

    def rows(self, tag: int) -> list[tuple[int, float, int]]:
        """(t, value, quality) of a tag in the history, by time."""
        connection = psycopg2.connect(self.database_url)
        try:
            cursor = connection.cursor()
            cursor.execute("SELECT t, v, q FROM raw_readings WHERE tag = %s ORDER BY t, seq", (tag,))
            return cursor.fetchall()
        finally:
            connection.close()

    def close(self) -> None:
        """End both."""
        self._stop.set()
        self.process.terminate()
        self.process.wait(20)
        self._recording.join(10)
        self._recorder.close()
        self.log.close()


class Door:
    """TLS on a port of its own before the server; closed, nobody answers there."""

    def __init__(self, folder: Path, behind: int) -> None:
        self.port = free_port()
        self.behind = behind
        self.certificate = folder / "server.pem"
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(_self_signed(self.certificate))
        self._listener: socket.socket | None = None
        self._open: set[socket.socket] = set()
        self.open()

    def open(self) -> None:
        """Answer from now on."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def close(self) -> None:
        """Answer nobody, and drop who is there."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for one in list(self._open):
            _hang_up(one)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                raw, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(raw,), daemon=True).start()

    def _serve(self, raw: socket.socket) -> None:
        try:
            client = self._tls.wrap_socket(raw, server_side=True)
            server = socket.create_connection(("127.0.0.1", self.behind))
        except OSError:
            raw.close()
            return
        self._open |= {client, server}
        back = threading.Thread(target=_pump, args=(server, client), daemon=True)
        back.start()
        _pump(client, server)
        back.join(10)
        self._open -= {client, server}
        client.close()
        server.close()


def _pump(one: socket.socket, other: socket.socket) -> None:
    try:
        while data := one.recv(65536):
            other.sendall(data)
    except OSError:
        pass
    _hang_up(one)
    _hang_up(other)


def _hang_up(one: socket.socket) -> None:
    try:
        one.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


def _self_signed(path: Path) -> Path:
    """A key and a certificate for 127.0.0.1 in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path.write_bytes(secret + certificate.public_bytes(serialization.Encoding.PEM))
    return path


class Numbering:
    """A PLC whose one REAL is another number at every read: 0, 1, 2, ... `told` is the last it gave away."""

    def __init__(self) -> None:
        self._numbers = count()
        self.told = -1
        self.plc = RogueS7(self._answer)

    def _answer(self, sequence: int, _request: bytes) -> bytes:
        self.told = next(self._numbers)
        return read_reply(sequence, [struct.pack(">f", float(self.told))])
