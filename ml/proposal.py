"""A proposed limit, tag setting, detector setting or model version, and the plant and settings that have it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from realtime.errors import SightlineError
from realtime.settings import Settings
from realtime.snapshot import Limit, Snapshot

# what of a tag the detectors read, besides its limits
FIELDS = frozenset(
    {"limits", "low", "high", "range_low", "range_high", "stuck_s", "stuck_deadband", "drift", "joint", "cusum_k", "cusum_h"}
)
SETTINGS = frozenset({"cusum_k", "cusum_h", "stuck_sensor_minutes"})


class BadProposal(SightlineError):
    """The proposal names something that is not there or cannot be."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """tag: id whose `fields` would change; settings by their field of Settings; model: version that would judge the asset."""

    tag: int | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, float] = field(default_factory=dict)
    model: int | None = None


def read_proposal(raw: Mapping[str, Any]) -> Proposal:
    """A proposal from JSON; raises BadProposal."""
    try:
        fields = dict(raw.get("fields", {}))
        if "limits" in fields:
            fields["limits"] = msgspec.convert(fields["limits"], list[Limit])
        found = Proposal(raw.get("tag"), fields, dict(raw.get("settings", {})), raw.get("model"))
    except (msgspec.ValidationError, TypeError, ValueError) as error:
        raise BadProposal(f"the proposal is unreadable: {error}") from error
    unknown = sorted((set(found.fields) - FIELDS) | (set(found.settings) - SETTINGS))
    if unknown:
        raise BadProposal(f"no detector has the setting {', '.join(unknown)}")
    return found


def proposed_snapshot(snapshot: Snapshot, proposal: Proposal) -> Snapshot:
    """The plant with the tag's fields as proposed; raises BadProposal for a tag that is not there."""
    if proposal.tag is None:
        return snapshot
    if proposal.tag not in snapshot.tag_by_id():
        raise BadProposal(f"tag {proposal.tag} is not in the published plant snapshot")
    tags = [msgspec.structs.replace(tag, **proposal.fields) if tag.id == proposal.tag else tag for tag in snapshot.tags]
    return msgspec.structs.replace(snapshot, tags=tags)


def proposed_settings(settings: Settings, proposal: Proposal) -> Settings:
    """The settings as proposed."""
    changed: dict[str, Any] = dict(proposal.settings)
    return replace(settings, **changed)
