"""Who may write to the edge's OPC UA server: users, devices with certificates, anyone on loopback where neither is set. No network."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from asyncua import ua
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.internal_server import InternalServer
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from plc.connector import Report

PASSWORD_LEAST = 12


class Devices:
    """config: users {name: {password}}, certificates [paths]. A wrong one raises what reading it raised."""

    def __init__(self, config: Mapping[str, Any], report: Report, *, is_local: bool) -> None:
        self.report = report
        self.users = {str(name): str(user["password"]) for name, user in (config.get("users") or {}).items()}
        for name, password in self.users.items():
            if len(password) < PASSWORD_LEAST:
                raise ValueError(f"user {name} needs a password of {PASSWORD_LEAST} characters or more")
        self.certificates = {_certificate(Path(str(path))) for path in config.get("certificates") or ()}
        self.is_open = is_local and not self.users and not self.certificates

    @property
    def tokens(self) -> list[type]:
        """Kinds of login that the server offers."""
        offered: list[type] = [ua.AnonymousIdentityToken] if self.is_open else []
        if self.users:
            offered.append(ua.UserNameIdentityToken)
        if self.certificates:
            offered.append(ua.X509IdentityToken)
        return offered

    def get_user(
        self, iserver: InternalServer, username: str | None = None, password: str | None = None, certificate: bytes | None = None
    ) -> User | None:
        """asyncua asks for each login; None refuses it."""
        if username is not None:
            expected = self.users.get(username)
            if expected is not None and hmac.compare_digest(expected.encode(), (password or "").encode()):
                return User(UserRole.User, username)
        elif self.is_open or (certificate is not None and certificate in self.certificates):
            return User(UserRole.User, "device")
        self.report.reject("login", topic=str(username or ""))
        return None


def _certificate(path: Path) -> bytes:
    content = path.read_bytes()
    made = x509.load_pem_x509_certificate(content) if content.startswith(b"-----") else x509.load_der_x509_certificate(content)
    return made.public_bytes(serialization.Encoding.DER)


def is_local(host: str) -> bool:
    """True for an address that only this machine reaches."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
