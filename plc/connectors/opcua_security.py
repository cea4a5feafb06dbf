"""Who we are to an OPC UA server, and whether the server is the one we know: our certificate, its pinned certificate.

Ours is made at first start below DATA_DIR/opcua and lives five years; it is never renewed by itself, because every server
would have to trust the new one. It opens no connection.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from asyncua import ua
from asyncua.crypto import security_policies
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from plc.connector import LinkError

POLICIES = {
    "none": security_policies.SecurityPolicyNone,
    "basic256sha256": security_policies.SecurityPolicyBasic256Sha256,
    "aes128sha256rsaoaep": security_policies.SecurityPolicyAes128Sha256RsaOaep,
}
MODES = {"sign": ua.MessageSecurityMode.Sign, "signandencrypt": ua.MessageSecurityMode.SignAndEncrypt}
KEY_BITS = 2048
VALID = timedelta(days=5 * 365)
WARN_BEFORE = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Security:
    """What the source's configuration asks for."""

    policy: type[security_policies.SecurityPolicy]
    mode: ua.MessageSecurityMode
    server_cert: Path | None
    accept_expired: bool

    @property
    def is_secure(self) -> bool:
        """False for policy None: nothing is signed and the server proves nothing."""
        return self.policy is not security_policies.SecurityPolicyNone


def security_of(name: str, config: Mapping[str, Any]) -> Security:
    """Read `security`, `mode`, `server_cert`, `accept_expired`; raises LinkError (config)."""
    policy = POLICIES.get(str(config.get("security") or "None").lower())
    if policy is None:
        shown = "security is None, Basic256Sha256 or Aes128Sha256RsaOaep"
        raise LinkError("config", f"{name}: no security policy {config['security']!r}", shown)
    mode = MODES.get(str(config.get("mode") or "SignAndEncrypt").lower())
    if mode is None:
        raise LinkError("config", f"{name}: no security mode {config['mode']!r}", "mode is Sign or SignAndEncrypt")
    if policy is security_policies.SecurityPolicyNone:
        mode = ua.MessageSecurityMode.None_
    path = config.get("server_cert")
    return Security(policy, mode, Path(str(path)) if path else None, bool(config.get("accept_expired")))


@dataclass(frozen=True, slots=True)
class OwnCertificate:
    """Our certificate (DER) with its key (PEM) and the application URI that stands in it."""

    path: Path
    der: bytes
    key_pem: bytes
    uri: str
    until: datetime

    @property
    def thumbprint(self) -> str:
        """SHA-1 in capitals, as servers list certificates."""
        return hashlib.sha1(self.der).hexdigest().upper()  # noqa: S324 - a name by OPC 10000-4, no proof

    def warning(self, now: datetime) -> str:
        """What to do about its end; "" while that is more than 30 days away."""
        if now < self.until - WARN_BEFORE:
            return ""
        ends = "ended" if now >= self.until else "ends"
        renew = f"move {self.path} away, start the collector again and trust the new certificate on the servers"
        return f"our OPC UA certificate {self.thumbprint} {ends} on {self.until:%Y-%m-%d}: {renew}"


def check_url(name: str, url: str) -> None:
    """A url that can be opened or listened on; raises LinkError (config)."""
    try:
        parts = urlsplit(url)
        if parts.scheme == "opc.tcp" and parts.hostname and parts.port:
            return
        why = "no url" if not url else "the url needs opc.tcp://, a host and a port"
    except ValueError as error:
        why = f"url: {error}"
    raise LinkError("config", f"{name}: {why}", "set url in the source, such as opc.tcp://10.0.0.8:4840/")


def own_certificate(folder: Path, instance: str, now: datetime | None = None) -> OwnCertificate:
    """The certificate of this installation, made where there is none; two collectors that start at once make one. Raises LinkError."""
    try:
        return _own_certificate(folder, instance, now or datetime.now(UTC))
    except (OSError, ValueError, x509.ExtensionNotFound) as error:
        remedy = f"let the collector write {folder}; move a damaged certificate away, and a new one is made"
        raise LinkError("config", f"our OPC UA certificate: {type(error).__name__}: {error}", remedy) from error


def _own_certificate(folder: Path, instance: str, now: datetime) -> OwnCertificate:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path, key_path = folder / "certificate.der", folder / "key.pem"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists() or not key_path.exists():
            _make(path, key_path, f"urn:sightline:{socket.gethostname()}:{instance}", now)
    der = path.read_bytes()
    certificate = x509.load_der_x509_certificate(der)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    uri = names.get_values_for_type(x509.UniformResourceIdentifier)[0]
    return OwnCertificate(path, der, key_path.read_bytes(), uri, certificate.not_valid_after_utc)


def _make(path: Path, key_path: Path, uri: str, now: datetime) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    handle = os.open(key_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as out:
        out.write(pem)
    path.write_bytes(_signed(key, uri, now).public_bytes(serialization.Encoding.DER))


def _signed(key: rsa.RSAPrivateKey, uri: str, now: datetime) -> x509.Certificate:
    """Self-signed by OPC 10000-6 6.2.2: URI and host name in it, client and server use."""
    host = socket.gethostname()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Sightline"), x509.NameAttribute(NameOID.ORGANIZATION_NAME, host)])
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=True,
        key_encipherment=True,
        data_encipherment=True,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    extended = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH])
    names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri), x509.DNSName(host)])
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + VALID)
    builder = builder.add_extension(names, critical=False).add_extension(usage, critical=True).add_extension(extended, critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    return builder.sign(key, hashes.SHA256())


def first_of_chain(blob: bytes) -> bytes:
    """The leading certificate of a DER blob that may hold its chain too."""
    return blob[: int.from_bytes(blob[2:4], "big") + 4] if blob[1:2] == b"\x82" else blob


def check_server(name: str, shown: bytes, security: Security, folder: Path, now: datetime) -> None:
    """Compare what the server shows with what was given or recorded; the first one seen is recorded. Raises LinkError."""
    found = fingerprint(shown)
    if security.server_cert is not None:
        expected, where = fingerprint(_read(name, security.server_cert)), str(security.server_cert)
    else:
        record = folder / f"{quote(name, safe='')}.sha256"
        where = str(record)
        if not record.exists():
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            record.write_text(found + "\n", "ascii")
        expected = record.read_text("ascii").strip()
    if found != expected:
        detail = f"{name}: the server shows another certificate ({found}) than the one in {where} ({expected})"
        raise LinkError("certificate", detail, f"compare it with the server's own; if the server was renewed, remove {where}")
    until = x509.load_der_x509_certificate(shown).not_valid_after_utc
    if now >= until and not security.accept_expired:
        detail = f"{name}: the server's certificate ended on {until:%Y-%m-%d}"
        raise LinkError("certificate", detail, "renew it on the server, or set accept_expired in the source until that is done")


def fingerprint(der: bytes) -> str:
    """SHA-256 of a certificate."""
    return hashlib.sha256(der).hexdigest()


def _read(name: str, path: Path) -> bytes:
    try:
        content = path.read_bytes()
        made = x509.load_pem_x509_certificate(content) if content.startswith(b"-----") else x509.load_der_x509_certificate(content)
    except (OSError, ValueError) as error:
        raise LinkError("config", f"{name}: server_cert {path}: {error}", "give the path of a PEM or DER certificate") from error
    return made.public_bytes(serialization.Encoding.DER)
