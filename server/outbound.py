"""One POST to a host outside: only hosts that the operator listed, connected at the address that was checked, no redirects, bounded.

The list (`WEBHOOK_HOSTS`) is a setting and not a page's field, so that no account can turn the server against its own network.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

from realtime.errors import SightlineError

TIMEOUT_S = 10.0
LONGEST_ANSWER = 64 * 1024
PORTS = {"http": 80, "https": 443}


class NotAllowed(SightlineError):
    """The address may not be called; the message says why and what to change."""


class NotTaken(SightlineError):
    """The other side did not take it: away, slow, or an answer other than 2xx. `final` = trying again is of no use."""

    def __init__(self, detail: str, *, final: bool = False) -> None:
        super().__init__(detail)
        self.final = final


@dataclass(frozen=True, slots=True)
class Target:
    """A URL taken apart; `address` is the IP that was checked and will be connected."""

    scheme: str
    host: str
    port: int
    path: str
    address: str


def checked(url: str, allowed: tuple[str, ...]) -> Target:
    """The target of a URL; raises NotAllowed for a host that is not listed, or a listed name that leads to this machine."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port or PORTS.get(parts.scheme, 0)
    except ValueError as error:
        raise NotAllowed("this is no URL") from error
    if parts.scheme not in PORTS or not host:
        raise NotAllowed("the URL must start with https:// or http://")
    if parts.username is not None or parts.password is not None:
        raise NotAllowed("a URL with a password in it is public; use the secret")
    if host not in allowed and f"{host}:{port}" not in allowed:
        raise NotAllowed(f"{host} is not in WEBHOOK_HOSTS; the operator of this server has to add it")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not path.isascii() or not path.isprintable() or " " in path:
        raise NotAllowed("the path holds characters that a URL may not")
    return Target(parts.scheme, host, port, path, _address(host, port))


def _address(host: str, port: int) -> str:
    """The first address of the host; one that the operator wrote as a number is taken as it is. Raises NotAllowed, NotTaken."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NotTaken(f"{host} has no address: {error}") from error
    address = str(found[0][4][0])
    ip = ipaddress.ip_address(address.partition("%")[0])
    if ip.is_loopback or ip.is_link_local or ip.is_multicast or ip.is_unspecified or ip.is_reserved:
        raise NotAllowed(f"{host} leads to {address}, which is this machine or nobody; write the number into WEBHOOK_HOSTS if you mean it")
    return address


def post(target: Target, body: bytes, headers: dict[str, str]) -> int:
    """Send the body; the status of a 2xx answer. Raises NotTaken."""
    connection = _connection(target)
    try:
        connection.request("POST", target.path, body, {"Host": _host_header(target), "User-Agent": "Sightline", **headers})
        answer = connection.getresponse()
        answer.read(LONGEST_ANSWER)
    except (http.client.HTTPException, OSError) as error:
        raise NotTaken(f"{target.host}: {error or type(error).__name__}") from error
    finally:
        connection.close()
    if not 200 <= answer.status < 300:
        raise NotTaken(f"{target.host} answered {answer.status}", final=answer.status in {400, 401, 403, 404, 405, 410, 413, 415, 422})
    return answer.status


def _host_header(target: Target) -> str:
    name = f"[{target.host}]" if ":" in target.host else target.host
    return name if target.port == PORTS[target.scheme] else f"{name}:{target.port}"


def _connection(target: Target) -> http.client.HTTPConnection:
    """Connected to the checked address; the name is only for TLS and the Host header."""
    connection = http.client.HTTPConnection(target.host, target.port, timeout=TIMEOUT_S)
    try:
        plain = socket.create_connection((target.address, target.port), timeout=TIMEOUT_S)
        connection.sock = (
            ssl.create_default_context().wrap_socket(plain, server_hostname=target.host) if target.scheme == "https" else plain
        )
    except OSError as error:
        raise NotTaken(f"{target.host}: {error}") from error
    return connection
