"""The one table of address parsers: `plc.addressing.<kind>.parse` of every protocol kind. Pure: no I/O."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from plc.addressing.errors import AddressError

KINDS = tuple(kind for kind in ("s7", "mqtt", "opcua", "opcua_server", "modbus", "sparkplug") if find_spec(f"plc.addressing.{kind}"))
TYPED = frozenset({"s7", "modbus"})  # their short forms need `type:`


def parsed(kind: str, text: str, type_hint: str | None = None) -> Any:
    """The address as its kind's parser reads it; raises AddressError, or KeyError for an unknown kind."""
    if kind not in KINDS:
        raise KeyError(kind)
    parse = import_module(f"plc.addressing.{kind}").parse
    return parse(text, type_hint) if kind in TYPED and type_hint else parse(text)


def warnings_of(address: Any) -> list[str]:
    """What is legal and yet unusual about an address."""
    tell = getattr(address, "warnings", None)
    return list(tell()) if tell else []


def kinds_of(address: Any) -> tuple[str, ...]:
    """Kinds that a tag of this address may have, the usual one first. A number may be kept as text; an array of numbers is a frame."""
    tells = str(getattr(address, "kind", ""))
    return {"text": ("text",), "frame": ("frame",), "f64": ("f64", "text")}.get(tells, ("f64", "text", "frame"))


__all__ = ["KINDS", "AddressError", "kinds_of", "parsed", "warnings_of"]
