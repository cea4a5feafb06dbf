"""TLS for a broker: own CA and client certificate as files, checked before the link is opened so that the remedy can be told.

It reads files and opens no connection. Days to expiry are what `describe` shows and what is warned of.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509

from plc.connector import LinkError

WARN_DAYS = 30


@dataclass(frozen=True, slots=True)
class Credentials:
    """A context ready to use, and whole days until each certificate of ours expires: {"ca_days", "cert_days"} as configured."""

    context: ssl.SSLContext
    days: dict[str, int]


def credentials(name: str, config: Mapping[str, Any], now: datetime) -> Credentials:
    """The TLS of a source: config `ca`, `cert` and `key` are paths of PEM files; without `ca` the system's authorities count.

    Raises LinkError (config) with a remedy where a file is missing, unreadable, no PEM, expired, or key and certificate differ.
    """
    days: dict[str, int] = {}
    for what in ("ca", "cert"):
        if config.get(what):
            days[f"{what}_days"] = _days(name, what, str(config[what]), now)
    if bool(config.get("cert")) != bool(config.get("key")):
        raise LinkError("config", f"{name}: cert and key belong together", "give both paths, or neither")
    try:
        context = ssl.create_default_context(cafile=str(config["ca"]) if config.get("ca") else None)
    except (ssl.SSLError, OSError) as error:
        raise LinkError("config", f"{name}: ca {config['ca']}: {error}", "give the PEM file of the broker's authority") from error
    if config.get("cert"):
        _load(name, context, str(config["cert"]), str(config["key"]))
    return Credentials(context, days)


def _load(name: str, context: ssl.SSLContext, cert: str, key: str) -> None:
    _bytes(name, "key", key)
    try:
        context.load_cert_chain(cert, key, password=_no_password)
    except (ssl.SSLError, OSError, ValueError) as error:
        remedy = "give the unencrypted PEM key that the certificate was made for"
        raise LinkError("config", f"{name}: key {key} does not fit certificate {cert}: {error}", remedy) from error


def _no_password() -> str:
    """OpenSSL would ask on the terminal for the password of an encrypted key."""
    raise ValueError("the key is encrypted")


def _bytes(name: str, what: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except FileNotFoundError as error:
        raise LinkError("config", f"{name}: {what} {path}: no such file", "correct the path; it is read on the collector") from error
    except OSError as error:
        remedy = "let the collector's user read it"
        raise LinkError("config", f"{name}: {what} {path} cannot be read: {error.strerror}", remedy) from error


def _days(name: str, what: str, path: str, now: datetime) -> int:
    try:
        certificates = x509.load_pem_x509_certificates(_bytes(name, what, path))
    except ValueError as error:
        raise LinkError("config", f"{name}: {what} {path} is no PEM certificate", "give a PEM file (BEGIN CERTIFICATE)") from error
    end = min(certificate.not_valid_after_utc for certificate in certificates)
    if end < now:
        raise LinkError("config", f"{name}: {what} {path} expired on {end:%Y-%m-%d}", "renew it")
    return (end - now).days


def utc_now() -> datetime:
    """Now, aware."""
    return datetime.now(UTC)
