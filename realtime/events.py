"""Every message type of the bus; the names here are the names everywhere. How they travel is in `realtime.codec` and `realtime.bus`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

SHARDS = 8

Edge = Literal["open", "update", "close"]
BatchKind = Literal["f64", "text", "frame"]
Side = Literal["high", "low", "rising", "falling"]  # of a limit
Holds = Literal["running", "stopped", "always", "idle", "starting"]  # in which state of the machine a limit counts
PACES = frozenset({"rising", "falling"})  # sides of a limit of change: per minute


class Quality(IntEnum):
    """Quality of one sample; the two low bits of the quality byte."""

    GOOD = 0
    UNCERTAIN = 1
    BAD = 2


class Reason(IntEnum):
    """Why a sample is not good; the six high bits of the quality byte (PROTOCOLS.md 6.4)."""

    NONE = 0
    COMM = 1  # the link is down
    CONFIG = 2  # the address is wrong
    DEVICE = 3  # sensor fault, wire break
    RANGE = 4  # NaN, infinite, over-range
    STALE = 5  # nothing new for three polls
    CLOCK = 6  # source time not believable


class Severity(StrEnum):
    """Alert severities; `advisory` is what S3-13 calls info."""

    ADVISORY = "advisory"
    WARNING = "warning"
    CRITICAL = "critical"


class AlertType(StrEnum):
    """Alert types S2-48..53 and the two of DESIGN.md 5."""

    CALIBRATION_OVERDUE = "calibration_overdue"
    RULE_VIOLATION = "rule_violation"
    DRIFT = "drift"
    ANOMALY = "anomaly"
    INSTRUMENT_FAULT = "instrument_fault"
    DATA_GAP = "data_gap"
    MACHINE_FAULT = "machine_fault"
    SOURCE_LOST = "source_lost"


class SignalName(StrEnum):
    """Names on the stream `signals`; plc and ml emit, the worker turns them into facts."""

    SOURCE_LOST = "source.lost"
    SOURCE_RECOVERED = "source.recovered"
    STATE_OBSERVED = "state.observed"
    TAG_DISCOVERED = "tag.discovered"
    JOB_PROGRESS = "job.progress"
    BUS_GROUP_LOST = "bus.group_lost"
    PLC_WRITE = "plc.write"
    SPOOL = "source.spool"
    MODEL_STATE = "model.state"  # a learned model is whole, damaged (rules only) or outdated (to be trained anew)


class FactName(StrEnum):
    """Names on the stream `facts` and on the socket."""

    ALERT_RAISED = "alert.raised"
    ALERT_ACKNOWLEDGED = "alert.acknowledged"
    ALERT_RETURNED = "alert.returned"
    ALERT_SHELVED = "alert.shelved"
    ALERT_SUPPRESSED = "alert.suppressed"
    ALERT_RESOLVED = "alert.resolved"
    ALERT_CHANGED = "alert.changed"  # its diagnosis says something else than before, or a person judged it
    WORK_ORDER_OPENED = "work_order.opened"
    WORK_ORDER_ASSIGNED = "work_order.assigned"
    WORK_ORDER_CHANGED = "work_order.changed"
    WORK_ORDER_COMPLETED = "work_order.completed"
    WORK_ORDER_VERIFIED = "work_order.verified"
    WORK_ORDER_REOPENED = "work_order.reopened"
    NOTIFICATION_CREATED = "notification.created"
    ASSET_STATE_CHANGED = "asset.state_changed"
    SOURCE_LOST = "source.lost"
    SOURCE_RECOVERED = "source.recovered"
    CONFIG_CHANGED = "config.changed"


def quality_byte(quality: Quality, reason: Reason = Reason.NONE) -> int:
    """Pack quality (2 bits) and reason (6 bits) into the byte that the bus and history carry."""
    return int(quality) | int(reason) << 2


def split_quality(byte: int) -> tuple[Quality, Reason]:
    """The inverse of `quality_byte`; raises ValueError on bits that no Quality or Reason has."""
    return Quality(byte & 3), Reason(byte >> 2)


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of an array tag: values = raw * scale + offset, row-major `shape`, dtype of `data`."""

    shape: tuple[int, int]
    dtype: Literal["i2", "u1", "f4"]
    scale: float
    offset: float
    unit: str
    data: bytes

    def array(self) -> npt.NDArray[np.float64]:
        """float64 of `shape`, engineering units."""
        raw = np.frombuffer(self.data, dtype="<" + self.dtype).reshape(self.shape)
        return raw.astype(np.float64) * self.scale + self.offset


@dataclass(frozen=True, slots=True)
class Batch:
    """Readings of one shard and one kind, columnar; the unit of the streams `readings.<shard>`.

    ids uint32 (n,) tag ids; t int64 (n,) source time, ms UTC; quality uint8 (n,) see `quality_byte`;
    seq uint32 (n,) from the device, else 0. values: float64 (n,) for kind f64 (NaN where bad and unknown),
    list of str for text, list of Frame for frame. Emitted by plc and /api/readings; consumed by recorder and ml.
    kept: bool (n,), false where a sample is within its tag's deadband: for the alarm rules and live views, not for the history.
    """

    shard: int
    received_ms: int
    source: str
    ids: npt.NDArray[np.uint32]
    t: npt.NDArray[np.int64]
    quality: npt.NDArray[np.uint8]
    seq: npt.NDArray[np.uint32]
    values: npt.NDArray[np.float64] | list[str] | list[Frame]
    kind: BatchKind = "f64"
    flags: frozenset[Literal["replay", "late"]] = field(default_factory=frozenset)
    kept: npt.NDArray[np.bool_] | None = None  # None: all are

    def __len__(self) -> int:
        return len(self.ids)

    def for_history(self) -> Batch:
        """The same without what need not be stored."""
        return self if self.kept is None else self.take(self.kept)

    def take(self, wanted: npt.NDArray[np.bool_]) -> Batch:
        """The readings where wanted (bool (n,)) is true."""
        if isinstance(self.values, np.ndarray):
            values: Any = self.values[wanted]
        else:
            values = [value for value, keep in zip(self.values, wanted, strict=True) if keep]
        columns = {name: getattr(self, name)[wanted] for name in ("ids", "t", "quality", "seq")}
        return replace(self, values=values, kept=None if self.kept is None else self.kept[wanted], **columns)

    def numbers(self) -> npt.NDArray[np.float64]:
        """The values of an f64 batch; raises TypeError for the other kinds."""
        if not isinstance(self.values, np.ndarray):
            raise TypeError(f"a {self.kind} batch has no numbers")
        return self.values

    def frames(self) -> list[Frame]:
        """The values of a frame batch; raises TypeError for the other kinds."""
        return [v for v in self._listed("frame") if isinstance(v, Frame)]

    def texts(self) -> list[str]:
        """The values of a text batch; raises TypeError for the other kinds."""
        return [v for v in self._listed("text") if isinstance(v, str)]

    def _listed(self, kind: BatchKind) -> list[str] | list[Frame]:
        if self.kind != kind or isinstance(self.values, np.ndarray):
            raise TypeError(f"a {self.kind} batch has no {kind} values")
        return self.values


@dataclass(frozen=True, slots=True)
class Because:
    """One tag's share (0..1) in a finding."""

    tag: str
    share: float


@dataclass(frozen=True, slots=True)
class Finding:
    """What a detector found, on the stream `findings`; emitted by ml only, consumed by the worker.

    `key` is stable over replay: the same condition found again after a restart has the same key, and open,
    update and close of one condition share it. t and t_onset are ms UTC. asset is a database id; tag a name or
    None for a joint finding. score / limit >= 1 means in alarm; score < limit on a close.
    """

    key: str
    edge: Edge
    asset: int
    tag: str | None
    type: AlertType
    detector: str
    t: int
    t_onset: int
    severity: Severity
    score: float
    limit: float
    value: float | None
    because: tuple[Because, ...]
    config_version: int
    code: str | None = None
    model_version: int | None = None
    provisional: bool = False  # learned on a baseline nobody confirmed: watch list only


@dataclass(frozen=True, slots=True)
class Signal:
    """Something plc or ml observed that is not a reading, on the stream `signals`; consumed by the worker.

    source.lost / source.recovered: data {source, reason, detail, tags:[names]}; state.observed: data {asset, operating,
    fault_code|null}; tag.discovered: data {source, tag, value}; job.progress: data {job, done, total, message};
    bus.group_lost: data {stream, group}: FLUSHALL or eviction took unread entries away; source.spool: data {source, state:
    ok|thinning|dropping|damaged, detail}: what waits at a collector has outgrown its quota, or its file was unreadable.
    """

    name: SignalName
    t: int
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that is so since a commit, on the stream `facts` and by its name on the socket.

    seq: one counter in commit order; id and rev of the thing; by: user name or "system"; data: its REST body.
    Emitted by the leader's relay only; consumed by every web process.
    """

    seq: int
    at: str
    name: FactName
    id: int
    rev: int
    by: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Command:
    """A request to another program, on the stream `commands`; never a PLC write (that is plc.commands' own path).

    name: `simulator.fault` {id, target, kind, magnitude, duration_s, until_ms}, `simulator.clear` {id}.
    """

    id: str
    name: str
    t: int
    data: dict[str, Any]
