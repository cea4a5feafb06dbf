"""The plant snapshot: what every worker knows of the plant, published by the server under the key `config`.

Workers never query the server's tables; they read this, keep their last copy on disk and report its version.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import msgspec

from realtime.errors import DecodeError
from realtime.events import Holds, Side


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """One configured limit of a tag; `side` high alarms above `value`, low below it; rising and falling where it does so faster
    than `value`, which then is positive and per minute, as is the deadband.

    deadband in engineering units on the way back; delays in seconds. A confirmed limit may open an order by itself.
    """

    side: Side
    value: float
    severity: Literal["advisory", "warning", "critical"]
    deadband: float = 0.0
    on_delay_s: float = 0.0
    off_delay_s: float = 0.0
    confirmed: bool = True
    holds: Holds = "running"


class Tag(msgspec.Struct, frozen=True, kw_only=True):
    """A live value. `low`..`high` is the normal range, `range_low`..`range_high` the instrument's signal range.

    address is what the connector's parser reads; role says what a machine bit or code means.
    """

    id: int
    name: str
    asset: int
    shard: int
    unit: str
    kind: Literal["f64", "text", "frame"] = "f64"
    label: str = ""
    decimals: int = 2
    source: str | None = None
    address: str = ""
    group: str = "normal"
    period_s: float = 1.0
    role: Literal["running", "idle", "fault", "status", "fault_code", "counter", "command"] | None = None
    scale_raw: tuple[float, float] | None = None
    scale_eng: tuple[float, float] | None = None
    deadband: float = 0.0
    low: float | None = None
    high: float | None = None
    range_low: float | None = None
    range_high: float | None = None
    limits: list[Limit] = []
    stuck_s: float | None = None
    stuck_deadband: float = 0.0
    drift: bool = True
    cusum_k: float | None = None  # of this tag alone; None = CUSUM_K, CUSUM_H
    cusum_h: float | None = None
    joint: bool = True  # part of the machine's joint models
    virtual: bool = False  # computed by the collector (statistics of a frame), not addressed
    deadband_pct: float = 0.0  # report by exception: per cent of range_low..range_high; `deadband` is the same in engineering units
    max_interval_s: float = 60.0  # a sample at least this often, so that silence differs from unchanged
    wire_break: str | None = None  # a raw value that means a broken wire, such as ">27648"
    average_s: float | None = None  # the edge sends one mean of this many seconds instead of every reading
    keep: dict[str, float] | None = None  # days kept by history tier (raw, 1m, 1h), where it differs from the plant's
    enabled: bool = True  # False: switched off, or its source is; nobody reads or judges it
    calibrated_at: int | None = None  # ms UTC of the instrument's last calibration: what was learned of the level before it is void


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A device or broker a collector talks to; config is the connector's own (host, rack, slot, topics, ...)."""

    id: int
    name: str
    kind: str
    enabled: bool = True
    config: dict[str, Any] = {}
    groups: dict[str, float] = {}  # group name -> period in seconds


class FaultCode(msgspec.Struct, frozen=True, kw_only=True):
    """Meaning of one fault code or bit of a machine."""

    code: str
    text: str
    severity: Literal["advisory", "warning", "critical"] = "critical"


class Baseline(msgspec.Struct, frozen=True, kw_only=True):
    """An interval of healthy operation, ms UTC; unconfirmed ones make provisional models."""

    start: int
    end: int
    confirmed: bool


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """A past or present stretch of maintenance mode, ms UTC: its readings teach nothing."""

    start: int
    end: int


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    """A machine or instrument loop; baselines are what its models learn from.

    runs_by: the role of the tag that says it runs (of its class), `always`, or `auto`: the run bit, else the status word, else always.
    start_up_s: after a start, before what holds while running is judged or learned again; None = the monitor's own.
    """

    id: int
    code: str
    name: str
    class_name: str = ""
    site: int = 0
    parent: int | None = None
    fault_codes: list[FaultCode] = []
    baselines: list[Baseline] = []
    runs_by: str = "auto"
    start_up_s: float | None = None
    work: list[Work] = []  # of the last days and of its baselines


class Maintenance(msgspec.Struct, frozen=True, kw_only=True):
    """An asset under work until a time (ms UTC): no alerts, no baseline use; the proof still reads its findings."""

    asset: int
    until: int


class ActiveModel(msgspec.Struct, frozen=True, kw_only=True):
    """The model version a person activated for an asset."""

    asset: int
    version: int


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The whole plant at one version; ids are database identities, never reused."""

    version: int
    sources: list[Source] = []
    tags: list[Tag] = []
    assets: list[Asset] = []
    maintenance: list[Maintenance] = []
    active_models: list[ActiveModel] = []

    def tag_by_name(self) -> dict[str, Tag]:
        """Tags by name."""
        return {tag.name: tag for tag in self.tags}

    def tag_by_id(self) -> dict[int, Tag]:
        """Tags by id."""
        return {tag.id: tag for tag in self.tags}

    def asset_by_id(self) -> dict[int, Asset]:
        """Assets by id."""
        return {asset.id: asset for asset in self.assets}


def encode_snapshot(snapshot: Snapshot) -> bytes:
    """JSON of a snapshot."""
    return msgspec.json.encode(snapshot)


def decode_snapshot(raw: bytes) -> Snapshot:
    """Read a snapshot; raises DecodeError."""
    try:
        return msgspec.json.decode(raw, type=Snapshot)
    except msgspec.MsgspecError as error:
        raise DecodeError(f"plant snapshot unreadable: {error}") from error


def save_copy(snapshot: Snapshot, path: Path) -> None:
    """Keep the last copy on disk, atomically, so that a worker starts without the bus."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}.new")  # two workers of one kind may share the folder
    draft.write_bytes(encode_snapshot(snapshot))
    draft.replace(path)


def load_copy(path: Path) -> Snapshot | None:
    """The last copy, or None where there is none; raises DecodeError when it is damaged."""
    return decode_snapshot(path.read_bytes()) if path.exists() else None
