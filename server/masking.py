"""Secrets in a source's configuration: shown as ***, kept when *** is sent back, never sent on to another address than they were for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from server.errors import Invalid

MASK = "***"
SECRETS = frozenset({"password", "secret", "token", "key", "passphrase", "key_password", "private_key"})
ADDRESS = ("url", "host", "port")
_IN_URL = re.compile(r"^([a-z][a-z0-9+.-]*://[^/@:\s]*:)([^/@\s]*)(@.*)$", re.IGNORECASE | re.DOTALL)


def masked(value: Any, name: str = "") -> Any:
    """The value with every secret below it as ***; shapes stay."""
    if isinstance(value, Mapping):
        return {key: masked(below, str(key)) for key, below in value.items()}
    if isinstance(value, list):
        return [masked(below) for below in value]
    if name.lower() in SECRETS and value not in (None, ""):
        return MASK
    found = _IN_URL.match(value) if isinstance(value, str) else None
    return f"{found[1]}{MASK}{found[3]}" if found and found[2] else value


def unmasked(new: Mapping[str, Any], old: Mapping[str, Any]) -> dict[str, Any]:
    """`new` with the secrets of `old` where it says ***; raises Invalid where none is known, or the address is another one."""
    return {key: _unmasked(value, old.get(key), f"config.{key}", is_same=_address(new) == _address(old)) for key, value in new.items()}


def _address(config: Mapping[str, Any]) -> list[Any]:
    return [_IN_URL.sub(r"\1\3", value) if isinstance(value := config.get(name), str) else value for name in ADDRESS]


def _unmasked(value: Any, old: Any, where: str, *, is_same: bool) -> Any:
    if isinstance(value, Mapping):
        known = old if isinstance(old, Mapping) else {}
        return {key: _unmasked(below, known.get(key), f"{where}.{key}", is_same=is_same) for key, below in value.items()}
    in_url = _IN_URL.match(value) if isinstance(value, str) else None
    is_masked = value == MASK or (in_url is not None and in_url[2] == MASK)
    if not is_masked:
        return value
    if not is_same:
        raise Invalid(where, "secret_again", "the address changed: give the secret again, it is not sent to another device unasked")
    if old in (None, ""):
        raise Invalid(where, "unknown_secret", "*** stands for a secret that is not known; give it")
    return old
