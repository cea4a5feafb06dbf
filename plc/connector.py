"""The seam of the collectors: what a connector does, and the one table of them. A connector only reads and hands over.

Timing, quality by range, batches, spool, back-off, gaps and metrics are `plc.runner`'s and `plc.delivery`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

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
    "config",
    "silent",
]


class LinkError(SightlineError):
    """The link to a source does not stand; detail says what happened, remedy what to do about it."""

    def __init__(self, reason: LinkReason, detail: str, remedy: str = "") -> None:
        super().__init__(f"{detail}; {remedy}" if remedy else detail)
        self.reason = reason
        self.detail = detail
        self.remedy = remedy


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
        """Polled: read a group now. Pushed: what came since, [] when nothing did within timeout_s."""

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


Make = Callable[[Source, Settings, Report], Connector]


@dataclass(frozen=True, slots=True)
class Kind:
    """A row of the table. is_polled: the runner keeps the grid. is_spooled: what was read outlives a bus that is away."""

    name: str
    is_polled: bool
    is_spooled: bool
    load: Callable[[], Make]


def _s7() -> Make:
    from plc.connectors.s7 import S7Connector  # noqa: PLC0415 - see KINDS

    return S7Connector


def _mqtt() -> Make:
    from plc.connectors.mqtt import MqttConnector  # noqa: PLC0415 - see KINDS

    return MqttConnector


def _opcua() -> Make:
    from plc.connectors.opcua import OpcuaConnector  # noqa: PLC0415 - see KINDS

    return OpcuaConnector


# loaded by name so that the child of one kind does not carry the libraries of the others
KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("s7", is_polled=True, is_spooled=True, load=_s7),
        Kind("mqtt", is_polled=False, is_spooled=False, load=_mqtt),  # the broker's persistent session is the spool
        Kind("opcua", is_polled=False, is_spooled=True, load=_opcua),
    )
}
