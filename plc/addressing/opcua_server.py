"""Reads the addresses of the edge's own OPC UA server: the name of the node a device writes to; nothing means the tag's name. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from plc.addressing.errors import AddressError

MAX_NAME = 128


@dataclass(frozen=True, slots=True)
class NodeName:
    """The identifier of a string node id in the server's one namespace; "" is the tag's name."""

    name: str

    def canonical(self) -> str:
        """The one spelling that is stored."""
        return self.name


def parse(text: str) -> NodeName:
    """Read one address; raises AddressError."""
    name = text.strip()
    if len(name) > MAX_NAME:
        raise AddressError(MAX_NAME, f"a name of at most {MAX_NAME} characters")
    for position, character in enumerate(name):
        if character in "=;":
            raise AddressError(position, "the bare name of the node, such as DMLS-1.power: the namespace is the source's")
        if not character.isprintable():
            raise AddressError(position, "a name of printable characters")
    return NodeName(name)
