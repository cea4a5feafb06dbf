"""Reads Sparkplug B tag addresses: `Group/Node/Device:Metric` for a device's metric, `Group/Node:Metric` for the node's own.

Pure: no I/O. The metric is everything after the first colon and may hold slashes, colons and spaces, as in `Plant/Edge1/Press:Pump/PT 101`.
"""

from __future__ import annotations

from dataclasses import dataclass

from plc.addressing.errors import AddressError

MAX_ADDRESS = 512


@dataclass(frozen=True, slots=True)
class SparkplugAddress:
    """One metric; device "" = of the node itself."""

    group: str
    node: str
    device: str
    metric: str

    def canonical(self) -> str:
        """The one spelling that is stored."""
        place = f"{self.group}/{self.node}/{self.device}" if self.device else f"{self.group}/{self.node}"
        return f"{place}:{self.metric}"


def parse(text: str) -> SparkplugAddress:
    """Read one address; raises AddressError."""
    written = text.strip()
    if len(written) > MAX_ADDRESS:
        raise AddressError(MAX_ADDRESS, f"at most {MAX_ADDRESS} characters")
    for position, character in enumerate(written):
        if not character.isprintable():
            raise AddressError(position, "printable characters only")
    place, colon, metric = written.partition(":")
    if not colon:
        raise AddressError(len(written), "a colon and the metric, such as Group/Node/Device:Temperature")
    group, node, device = _place(place)
    if not metric.strip():
        raise AddressError(len(place) + 1, "the metric after the colon")
    return SparkplugAddress(group, node, device, metric)


def _place(place: str) -> tuple[str, str, str]:
    """Group, node and device, "" for the node itself; raises AddressError."""
    for position, character in enumerate(place):
        if character in "+#":
            raise AddressError(position, "one group, node and device, no wildcard")
    parts = place.split("/")
    if len(parts) not in {2, 3}:
        raise AddressError(len(place), "Group/Node or Group/Node/Device before the colon")
    for number, part in enumerate(parts):
        if not part.strip():
            raise AddressError(len("/".join([*parts[:number], ""])), "a name between the slashes")
    return parts[0], parts[1], parts[2] if len(parts) == 3 else ""
