"""The server's secret: from the setting, else made once and kept in a 0600 file. Everything signed derives from it."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from realtime.errors import SettingsError
from realtime.settings import Settings


def server_secret(settings: Settings) -> bytes:
    """At least 32 bytes, the same in every web process of this DATA_DIR; raises SettingsError when its file is damaged."""
    if settings.jwt_secret is not None:
        return settings.jwt_secret.encode()
    path = settings.run_dir / "jwt_secret"
    if not path.exists():
        _create(path)
    secret = path.read_bytes().strip()
    if len(secret) < 32:
        raise SettingsError("JWT_SECRET", f"{path} holds fewer than 32 bytes; remove the file to make a new one (logins end)")
    return secret


def _create(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_hex(32).encode())
    try:
        os.link(draft, path)  # the first of several starting processes wins
    except FileExistsError:
        return
    finally:
        draft.unlink()


def derived_key(secret: bytes, purpose: str) -> bytes:
    """A key for one purpose, so that a cookie's signature never fits a token."""
    return hmac.new(secret, f"sightline {purpose}".encode(), hashlib.sha256).digest()
