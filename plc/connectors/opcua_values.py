"""From OPC UA data values to readings: status to quality, arrays to frames with their statistics. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
from asyncua import ua
from asyncua.ua.status_codes import StatusCodes as Codes

from realtime.events import Frame, Quality, Reason, quality_byte

SCALE = 0.1
MAX_CELLS = 1_000_000
STATISTICS = ("min", "max", "mean", "std")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


_COMM = {Codes.BadNoCommunication, Codes.BadCommunicationError, Codes.BadNotConnected, Codes.BadWaitingForInitialData, Codes.BadShutdown}
_CONFIG = {Codes.BadConfigurationError, Codes.BadNodeIdUnknown, Codes.BadNodeIdInvalid, Codes.BadTypeMismatch, Codes.BadNotReadable}
_RANGE = {Codes.BadOutOfRange, Codes.UncertainEngineeringUnitsExceeded}
_DEVICE = {Codes.UncertainSensorNotAccurate, Codes.UncertainSubNormal, Codes.BadSensorFailure, Codes.BadDeviceFailure}


class ShapeError(ValueError):
    """An array is not the picture it should be."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A frame and its statistics in engineering units, keyed as the virtual tags' endings."""

    frame: Frame
    statistics: dict[str, float]


def quality_of(status: ua.StatusCode | None) -> int:
    """Quality byte of a status code; no code is good (the specification says so)."""
    return quality_of_code(status.value if status is not None else 0)


def quality_of_code(value: int) -> int:
    """Quality byte of a status code as it is on the wire."""
    severity = value >> 30
    if severity == 0:
        return quality_byte(Quality.GOOD)
    return quality_byte(Quality.UNCERTAIN if severity == 1 else Quality.BAD, _reason(value & 0xFFFF0000, is_bad=severity != 1))


def _reason(code: int, *, is_bad: bool) -> Reason:
    for codes, reason in ((_COMM, Reason.COMM), (_CONFIG, Reason.CONFIG), (_RANGE, Reason.RANGE), (_DEVICE, Reason.DEVICE)):
        if code in codes:
            return reason
    return Reason.DEVICE if is_bad else Reason.STALE


def stamp_ms(value: ua.DataValue, received: int) -> int:
    """Source time, else server time, else the receive time; ms UTC."""
    moment: datetime | None = value.SourceTimestamp or value.ServerTimestamp
    if moment is None:
        return received
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return ((moment - EPOCH) // MICROSECOND + 500) // 1000  # as opcua_wire rounds: one moment is one reading


def number(value: Any) -> float | None:
    """A float of a scalar; None where it is none."""
    if isinstance(value, bool | int | float | np.number):
        return float(value)
    return None


def picture(value: Any, dimensions: Sequence[int] | None, shape: tuple[int, int] | None, unit: str) -> Picture:
    """An array value as a frame of int16 in steps of SCALE (coarser where it must); raises ShapeError or ValueError.

    dimensions: what the server says; shape: what is configured or was seen first. A flat array needs one of them.
    """
    cells = np.asarray(value, dtype=np.float64)
    if cells.size == 0 or cells.size > MAX_CELLS:
        raise ShapeError(f"{cells.size} cells")
    if cells.ndim == 1:
        given = tuple(dimensions) if dimensions and len(dimensions) == 2 else shape
        if given is None or given[0] * given[1] != cells.size:
            raise ShapeError(f"flat array of {cells.size} cells without a shape")
        cells = cells.reshape(given)
    if cells.ndim != 2 or (shape is not None and cells.shape != shape):
        raise ShapeError(f"shape {cells.shape}, expected {shape}")
    if not np.isfinite(cells).all():
        raise ValueError("a cell is not finite")
    return Picture(_frame(cells, unit), _statistics(cells))


def _frame(cells: npt.NDArray[np.float64], unit: str) -> Frame:
    largest = float(np.abs(cells).max())
    scale = SCALE
    if largest > 32767 * SCALE:
        scale = 10.0 ** math.ceil(math.log10(largest / 32767))
    raw = np.rint(cells / scale).astype("<i2")
    return Frame((cells.shape[0], cells.shape[1]), "i2", scale, 0.0, unit, raw.tobytes())


def _statistics(cells: npt.NDArray[np.float64]) -> dict[str, float]:
    return {"min": float(cells.min()), "max": float(cells.max()), "mean": float(cells.mean()), "std": float(cells.std())}
