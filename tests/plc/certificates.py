"""Certificates of a test's own: an authority, and what it signs, as PEM files."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Pair:
    """Paths of a certificate and its key."""

    cert: Path
    key: Path


class Authority:
    """Signs certificates for 127.0.0.1; its own is `ca`."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self.folder = folder
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.ca = folder / f"{name}.pem"
        self.ca.write_bytes(self._signed(self.name, self._key, timedelta(days=30), is_authority=True))

    def pair(self, name: str, valid: timedelta = timedelta(days=20)) -> Pair:
        """A certificate valid for so long from now, negative = expired, and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        found = Pair(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        found.cert.write_bytes(self._signed(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), key, valid, is_authority=False))
        form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        found.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain))
        return found

    def _signed(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, valid: timedelta, *, is_authority: bool) -> bytes:
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=60))
            .not_valid_after(now + valid)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        )
        return made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
