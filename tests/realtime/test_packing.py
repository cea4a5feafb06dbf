"""Packed pictures: every cell comes back, in Python and in the browser's module, and a plate fits in 12 KB."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.events import Frame
from realtime.packing import pack, unpack

MODULE = Path(__file__).parents[2] / "web" / "static" / "js" / "unpack.js"
SCRIPT = """
import { readFileSync } from "node:fs";
const source = readFileSync(process.argv[1]);
const { unpack } = await import("data:text/javascript;base64," + source.toString("base64"));
for (const [dtype, body] of JSON.parse(readFileSync(0))) {
  console.log(Buffer.from(await unpack({ dtype }, new Uint8Array(Buffer.from(body, "base64")).buffer)).toString("base64"));
}
"""


def frame(dtype: str, data: bytes) -> Frame:
    return Frame((1, len(data) // np.dtype(dtype).itemsize), dtype, 0.1, 0.0, "°C", data)  # type: ignore[arg-type]


def plate(noise: float) -> bytes:
    """A hot spot on a warm plate with noise, in steps of 0.1 °C."""
    y, x = np.mgrid[0:100, 0:100]
    field = 80 + 140 * np.exp(-((x - 40) ** 2 + (y - 60) ** 2) / 800) + np.random.default_rng(7).normal(0, noise, (100, 100))
    return np.rint(field * 10).astype("<i2").tobytes()


@settings(deadline=None)
@given(st.sampled_from(["i2", "u1"]), st.binary(min_size=2, max_size=400))
def test_every_cell_comes_back(dtype: str, data: bytes) -> None:
    data = data[: len(data) // 2 * 2]

    packed = pack(frame(dtype, data))

    assert packed is not None
    assert unpack(packed, dtype) == data


def test_whole_numbers_of_the_browser_are_the_same() -> None:
    pictures = [("i2", plate(0.5)), ("u1", bytes(range(256)) * 2), ("i2", np.array([32767, -32768, -1, 0], "<i2").tobytes())]
    packed = [(dtype, base64.b64encode(pack(frame(dtype, data)) or b"").decode()) for dtype, data in pictures]

    command = ["node", "--input-type=module", "-e", SCRIPT, "--", str(MODULE)]
    done = subprocess.run(command, input=json.dumps(packed), capture_output=True, text=True, timeout=60, check=True)

    assert [base64.b64decode(line) for line in done.stdout.split()] == [data for _, data in pictures]


@pytest.mark.parametrize("noise", [0.0, 0.5, 1.0])
def test_a_plate_of_10000_cells_fits_in_12_kb(noise: float) -> None:
    assert len(pack(frame("i2", plate(noise))) or b"") <= 12_288


def test_floats_are_sent_as_they_are() -> None:
    assert pack(frame("f4", np.zeros(4, "<f4").tobytes())) is None
