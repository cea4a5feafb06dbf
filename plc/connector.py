"""The seam of the collectors: what a connector does, and the one table of them. A connector only reads and hands over.

Timing, quality by range, batches, spool, back-off, gaps and metrics are `plc.runner`'s and `plc.delivery`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal, Protocol, cast, runtime_checkable

import numpy as np
import numpy.typing as npt

from realtime.errors import SightlineError
from realtime.events import BatchKind, Frame, Quality, Reason, quality_byte
from realtime.settings import Settings
from realtime.snapshot import Source, Tag

LinkReason = Literal[
    "no_route",
    "refused",
    "wrong_slot",
    "put_get",
    "optimized_db",
    "db_missing",
    "out_of_range",
    "protocol",
    "timeout",
    "login",
    "security",
    "certificate",
    "busy",
    "config",
    "silent",
    "stopped",
]


class LinkError(SightlineError):
    """The link to a source does not stand; detail says what happened, remedy what to do about it.

    quiet_s: for how long the other side had said nothing when that was noticed.
    """

    def __init__(self, reason: LinkReason, detail: str, remedy: str = "", *, quiet_s: float = 0.0) -> None:
        super().__init__(f"{detail}; {remedy}" if remedy else detail)
        self.reason = reason
        self.detail = detail
        self.remedy = remedy
        self.quiet_s = quiet_s


@dataclass(frozen=True, slots=True)
class Readings:
    """Columns of one read: raw values, before scaling. ids u32, t i64 ms UTC, quality u8, seq u32, all (n,).

    values: float64 (n,) for kind f64, else a list. replay: an old value handed out again (retained message, history).
    """

    ids: npt.NDArray[np.uint32]
    t: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64] | list[str] | list[Frame]
    quality: npt.NDArray[np.uint8]
    seq: npt.NDArray[np.uint32]
    kind: BatchKind = "f64"
    replay: bool = False

    def __len__(self) -> int:
        return len(self.ids)


def numbers(
    ids: Sequence[int],
    t: Sequence[int],
    values: Sequence[float],
    seq: Sequence[int] | None = None,
    *,
    quality: int = 0,
    replay: bool = False,
) -> Readings:
    """Number columns from lists, all of one quality."""
    n = len(ids)
    return Readings(
        ids=np.array(ids, "u4"),
        t=np.array(t, "i8"),
        values=np.array(values, "f8"),
        quality=np.full(n, quality, "u1"),
        seq=np.array(seq, "u4") if seq is not None else np.zeros(n, "u4"),
        replay=replay,
    )


def texts(ids: Sequence[int], t: Sequence[int], values: list[str], seq: Sequence[int] | None = None, *, replay: bool = False) -> Readings:
    """Text columns from lists, all good."""
    n = len(ids)
    seqs = np.array(seq, "u4") if seq is not None else np.zeros(n, "u4")
    return Readings(np.array(ids, "u4"), np.array(t, "i8"), values, np.zeros(n, "u1"), seqs, "text", replay)


def bad_samples(tags: Sequence[Tag], t_ms: int, reason: Reason) -> list[Readings]:
    """One bad sample for each tag at t_ms: NaN for numbers, an empty text for texts; frames have none, their statistics do."""
    bad = quality_byte(Quality.BAD, reason)
    figures = [tag.id for tag in tags if tag.kind == "f64"]
    words = [tag.id for tag in tags if tag.kind == "text"]
    made: list[Readings] = []
    if figures:
        made.append(numbers(figures, [t_ms] * len(figures), [float("nan")] * len(figures), quality=bad))
    if words:
        n = len(words)
        made.append(Readings(np.array(words, "u4"), np.full(n, t_ms, "i8"), [""] * n, np.full(n, bad, "u1"), np.zeros(n, "u4"), "text"))
    return made


class Report(Protocol):
    """Where a connector tells what it could not take; never raises."""

    def reject(self, reason: str, count: int = 1, *, topic: str = "", sample: bytes = b"") -> None:
        """Count something refused, with a sample for the quarantine."""

    def discovered(self, tag: str, value: float | str) -> None:
        """Tell of a tag nobody has configured."""


@dataclass(frozen=True, slots=True)
class Branch:
    """One thing found by browsing. path: what to browse next, "" where there is nothing below; address: "" for a mere folder."""

    name: str
    path: str = ""
    address: str = ""
    kind: Literal["f64", "text", "frame", ""] = ""
    unit: str = ""
    value: str = ""  # as shown to the engineer who chooses
    detail: str = ""


@runtime_checkable
class Browser(Protocol):
    """What a connector also does where its protocol can tell what a device holds."""

    def browse(self, path: str) -> list[Branch]:
        """What lies below path ("" is the top) on a link that stands; raises LinkError."""


@runtime_checkable
class Diagnoser(Protocol):
    """What a connector also does where single tags can be wrong while the link stands."""

    def troubles(self) -> dict[str, str]:
        """Tags that cannot be read at present: name -> what is wrong and what to do."""


@runtime_checkable
class Greeter(Protocol):
    """What a connector also does where an open port is no device yet."""

    def greet(self) -> None:
        """Ask the device anything at all on the open link; raises LinkError when it does not answer."""


@runtime_checkable
class Divisible(Protocol):
    """What a polled connector also does where one cycle is several requests: it makes way for a faster group between them."""

    def is_unfinished(self, group: str) -> bool:
        """The last `read` of the group ended at its timeout; the next one goes on from there."""


class Connector(Protocol):
    """One link to one source. Every method runs on the link's one owner thread.

    `connect` and `read` raise LinkError; after one the runner closes and connects anew. `plan` may be called while the
    link stands and must not drop it. Polled kinds read a group when asked; pushed kinds wait up to timeout_s for what came.
    """

    def connect(self) -> None:
        """Open the link; returns when it answers."""

    def plan(self, tags: Sequence[Tag]) -> list[tuple[Tag, str]]:
        """Take these tags from now on; returns those whose address cannot be used, with the reason."""

    def read(self, group: str, timeout_s: float) -> list[Readings]:
        """Polled: read a group now; a Divisible stops after timeout_s, if not 0. Pushed: what came since, [] when nothing did within it."""

    def confirm(self) -> None:
        """What `read` returned last is durable: acknowledge it to the source."""

    def idle(self, timeout_s: float) -> None:
        """The bus is away: keep the link alive for timeout_s and hand nothing out. Only kinds without a spool are asked."""

    def close(self) -> None:
        """Let go of the link; never raises."""

    def quiet_s(self) -> float | None:
        """Seconds since anything at all came over a standing link; None where silence means nothing, or before the first word."""

    def describe(self) -> dict[str, str | int | float]:
        """What /health shows of the link: PDU, jobs a cycle, revised intervals."""


class WriteRefused(SightlineError):
    """The device answered that it does not take the value: nothing was written."""


class Writer(Protocol):
    """A device open for one guarded write (plc/commands.py, which alone makes one); every method but `close` raises LinkError."""

    def open(self) -> None:
        """Connect."""

    def is_running(self) -> bool | None:
        """Whether the controller runs its program; None where it does not tell."""

    def read(self, address: str) -> float:
        """The value of now; raises ValueError where there is none."""

    def write(self, address: str, value: float) -> None:
        """Send it once, never again; raises WriteRefused. After a LinkError nobody knows what came of it."""

    def close(self) -> None:
        """Let go; never raises."""


Make = Callable[[Source, Settings, Report], Connector]
MakeWriter = Callable[[Mapping[str, Any]], Writer]  # of the connection as the allow-list has it


@dataclass(frozen=True, slots=True)
class Kind:
    """A row of the table: module and class of the connector. is_polled: the runner keeps the grid.

    is_spooled: what was read outlives a bus that is away. The addresses are parsed by plc.addressing.<name>.
    written_by: module and class of its Writer; "" where nothing is ever written to such a source.
    """

    name: str
    made_by: str
    is_polled: bool = False
    is_spooled: bool = True
    written_by: str = ""

    def load(self) -> Make:
        """The connector's class; imported now, so that the child of one kind does not carry the libraries of the others."""
        module, _, name = self.made_by.partition(":")
        return cast("Make", getattr(import_module(module), name))

    def load_writer(self) -> MakeWriter:
        """The Writer's class; raises LookupError where the kind has none."""
        if not self.written_by:
            raise LookupError(f"nothing writes to sources of kind {self.name}")
        module, _, name = self.written_by.partition(":")
        return cast("MakeWriter", getattr(import_module(module), name))


# A protocol is one line here, its connector and its addressing; docs/connectors.md tells the rest.
KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("s7", "plc.connectors.s7:S7Connector", is_polled=True, written_by="plc.connectors.s7_write:S7Writer"),
        Kind("mqtt", "plc.connectors.mqtt:MqttConnector", is_spooled=False),  # the broker's persistent session is the spool
        Kind("opcua", "plc.connectors.opcua:OpcuaConnector"),
        Kind("opcua_server", "plc.edge_server:EdgeServer"),
        Kind("sparkplug", "plc.connectors.sparkplug:SparkplugConnector"),
        Kind("modbus", "plc.connectors.modbus:ModbusConnector", is_polled=True),
    )
}
