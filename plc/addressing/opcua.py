"""Reads OPC UA node ids: `nsu=<uri>;s=...` (preferred: the index moves), `ns=2;s=...`, `i=2258`. Pure: no I/O."""

from __future__ import annotations

import base64
import binascii
import re
import uuid
from dataclasses import dataclass

from plc.addressing.errors import AddressError

_NODE = re.compile(r"(?:(?P<how>nsu|ns)=(?P<namespace>[^;]*);)?(?P<type>[a-zA-Z]*)(?P<equals>=?)(?P<id>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class OpcuaAddress:
    """One node; uri is set instead of index where the namespace is named by URI."""

    uri: str | None
    index: int
    type: str
    identifier: str

    def canonical(self) -> str:
        """The one spelling that is stored."""
        if self.uri is not None:
            return f"nsu={self.uri};{self.type}={self.identifier}"
        return f"ns={self.index};{self.type}={self.identifier}" if self.index else f"{self.type}={self.identifier}"

    def at_index(self, index: int) -> str:
        """The node id for a server that gave the namespace this index."""
        return f"ns={index};{self.type}={self.identifier}"


def parse(text: str) -> OpcuaAddress:
    """Read one node id; raises AddressError."""
    stripped = text.strip()
    found = _NODE.fullmatch(stripped)
    if not stripped or found is None or not found["equals"]:
        raise AddressError(0, "a node id such as nsu=http://example.org/plant;s=Temperature or ns=2;i=1042")
    if found["type"] not in {"s", "i", "g", "b"}:
        raise AddressError(found.start("type"), "s= (string), i= (number), g= (GUID) or b= (bytes)")
    uri, index = _namespace(found)
    _check_identifier(found["type"], found["id"], found.start("id"))
    return OpcuaAddress(uri, index, found["type"], found["id"])


def _namespace(found: re.Match[str]) -> tuple[str | None, int]:
    if found["how"] is None:
        return None, 0
    where = found.start("namespace")
    if found["how"] == "nsu":
        if not found["namespace"]:
            raise AddressError(where, "the namespace URI after nsu=")
        return found["namespace"], 0
    if not found["namespace"].isdecimal() or int(found["namespace"]) > 65535:
        raise AddressError(where, "a namespace index 0 to 65535")
    return None, int(found["namespace"])


def _check_identifier(kind: str, identifier: str, where: int) -> None:
    if not identifier:
        raise AddressError(where, f"an identifier after {kind}=")
    if kind == "i" and not (identifier.isdecimal() and int(identifier) <= 0xFFFFFFFF):
        raise AddressError(where, "a number 0 to 4294967295")
    if kind == "g":
        try:
            uuid.UUID(identifier)
        except ValueError as error:
            raise AddressError(where, "a GUID such as 09087e75-8e5e-499b-954f-f2a9603db28a") from error
    if kind == "b":
        try:
            base64.b64decode(identifier, validate=True)
        except binascii.Error as error:
            raise AddressError(where, "base64 bytes") from error
