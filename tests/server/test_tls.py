"""HTTPS: with a certificate of its own in both async modes, and behind a proxy that brings it."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
import requests
import websocket
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from app import create_app
from realtime.errors import SettingsError
from realtime.settings import Settings
from server import tls
from tests.waiting import wait_for

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Secured:
    """A web process that serves https, and who vouches for it."""

    url: str
    port: int
    authority: str


def certificate(folder: Path, name: str = "web") -> tuple[Path, Path]:
    """A certificate of 127.0.0.1 that vouches for itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    start = datetime.now(UTC) - timedelta(days=1)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number(), start, start + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / f"{name}.pem", folder / f"{name}.key"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8
    files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    return files


@pytest.fixture(params=["eventlet", "threading"])
def web(request: pytest.FixtureRequest, environment: dict[str, str], tmp_path: Path) -> Iterator[Secured]:
    """`python app.py` with a certificate."""
    chain, key = certificate(tmp_path)
    told = Path(environment["DATA_DIR"]) / "run" / "web.json"
    more = {"ASYNC_MODE": request.param, "TLS_CERT": str(chain), "TLS_KEY": str(key)}
    log = (tmp_path / "web.log").open("wb")
    process = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env={**environment, **more}, stderr=log)
    try:
        wait_for(lambda: told.exists() or process.poll() is not None, 30, "web.json")
        assert process.poll() is None, (tmp_path / "web.log").read_text()
        where = json.loads(told.read_text())
        yield Secured(where["url"], where["port"], str(chain))
    finally:
        process.kill()
        process.wait(10)
        log.close()


def test_a_tls_client_gets_a_page_a_secure_cookie_and_hsts(web: Secured) -> None:
    answer = requests.get(f"{web.url}/login", verify=web.authority, timeout=10)

    assert web.url.startswith("https://")
    assert (answer.status_code, "<h1" in answer.text) == (200, True)
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert {(cookie.secure, cookie.has_nonstandard_attr("HttpOnly")) for cookie in answer.cookies} == {(True, True)}


def test_who_connects_and_says_nothing_or_speaks_in_the_clear_keeps_nobody_waiting(web: Secured) -> None:
    with socket.create_connection(("127.0.0.1", web.port)), socket.create_connection(("127.0.0.1", web.port)) as clear:
        clear.sendall(b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n")

        assert requests.get(f"{web.url}/live", verify=web.authority, timeout=10).json() == {"status": "live"}
        assert b"live" not in said(clear)


def said(connection: socket.socket) -> bytes:
    """What came before the end of a connection, however that came."""
    try:
        return connection.recv(4096)
    except ConnectionResetError:
        return b""


def test_a_websocket_is_opened_over_tls(web: Secured) -> None:
    address = f"wss://127.0.0.1:{web.port}/socket.io/?EIO=4&transport=websocket"
    opened = websocket.create_connection(address, timeout=10, sslopt={"ca_certs": web.authority}, origin=web.url)
    first = opened.recv()
    version = opened.sock.version()
    opened.close()

    assert str(first).startswith("0{")
    assert version == "TLSv1.3"


def test_a_stranger_s_certificate_is_not_believed(web: Secured) -> None:
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(f"{web.url}/live", timeout=10)


def test_old_tls_is_not_spoken(settings: Settings, tmp_path: Path) -> None:
    chain, key = certificate(tmp_path)

    made = tls.context(replace(settings, tls_cert=chain, tls_key=key))

    assert made is not None
    assert made.minimum_version == ssl.TLSVersion.TLSv1_2
    assert tls.context(settings) is None


@pytest.mark.parametrize(
    ("chosen", "key"),
    [
        (lambda mine, other: (mine[0], None), "TLS_KEY"),
        (lambda mine, other: (None, mine[1]), "TLS_CERT"),
        (lambda mine, other: (mine[0], other[1]), "TLS_CERT"),
        (lambda mine, other: (mine[0], mine[1].with_name("gone")), "TLS_KEY"),
    ],
    ids=["no key", "no certificate", "another key", "no such file"],
)
def test_what_does_not_work_together_is_refused_at_the_start(
    settings: Settings, tmp_path: Path, chosen: Callable[..., tuple[Path | None, Path | None]], key: str
) -> None:
    cert, private = chosen(certificate(tmp_path), certificate(tmp_path, "other"))

    with pytest.raises(SettingsError) as refused:
        tls.context(replace(settings, tls_cert=cert, tls_key=private))

    assert key in str(refused.value)


@pytest.mark.parametrize(("hops", "secure"), [(0, False), (1, True)])
def test_only_a_proxy_that_is_named_is_believed(settings: Settings, hops: int, secure: bool) -> None:
    app = create_app(replace(settings, proxy_hops=hops))

    answer = app.test_client().get("/login", headers={"X-Forwarded-Proto": "https", "X-Forwarded-Host": "plant.example"})

    assert ("Strict-Transport-Security" in answer.headers) is secure
    assert ("Secure" in answer.headers["Set-Cookie"]) is secure
