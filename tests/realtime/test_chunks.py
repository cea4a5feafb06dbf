"""A chunk gives back every bit of what went in, and is small."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.chunks import Samples, joined, pack, unpack
from realtime.errors import DecodeError
from tests.realtime.batches import T0

HOUR = 3600
RNG = np.random.default_rng(5)


def samples(v: np.ndarray, t: np.ndarray | None = None, q: np.ndarray | None = None) -> Samples:
    n = len(v)
    times = T0 + 1000 * np.arange(n) if t is None else t
    return Samples(times.astype(np.int64), v.astype(np.float64), np.zeros(n, np.int64), np.zeros(n, np.int16) if q is None else q)


def assert_same(back: Samples, original: Samples) -> None:
    for name in ("t", "seq", "q"):
        assert getattr(back, name).tolist() == getattr(original, name).tolist()
        assert getattr(back, name).dtype == getattr(original, name).dtype
    assert back.v.view(np.uint64).tolist() == original.v.view(np.uint64).tolist()


values = st.one_of(
    st.floats(width=64),
    st.sampled_from([0.0, -0.0, float("nan"), float("inf"), 5.02, 1e300, 5e-324]),
    st.integers(-9999, 9999).map(lambda i: i / 100),
)
readings = st.lists(
    st.tuples(st.integers(T0, T0 + 3_599_999), values, st.integers(0, 2**32 - 1), st.integers(0, 255)), min_size=1, max_size=40
)


@given(readings)
def test_every_bit_comes_back(rows: list[tuple[int, float, int, int]]) -> None:
    t, v, seq, q = zip(*rows, strict=True)
    original = Samples(np.array(t, np.int64), np.array(v, np.float64), np.array(seq, np.int64), np.array(q, np.int16)).ordered()

    assert_same(unpack(pack(original)), original)


def test_a_number_that_is_none_keeps_the_bits_of_its_kind() -> None:
    odd = np.array([0x7FF8000000000001, 0xFFF8000000000000, 0x7FF4000000000000], np.uint64).view(np.float64)
    original = samples(np.concatenate((odd, [1.5])))

    assert_same(unpack(pack(original)), original)


@pytest.mark.parametrize(
    ("name", "v", "most_bytes"),
    [
        ("a random walk with 2 decimals", np.round(50 + np.cumsum(RNG.normal(0, 0.05, HOUR)), 2), 1.0),
        ("a noisy sensor with 2 decimals", np.round(50 + RNG.normal(0, 0.5, HOUR), 2), 1.5),
        ("a constant", np.full(HOUR, 21.5), 0.05),
        ("a bit", (np.arange(HOUR) // 600 % 2).astype(np.float64), 0.05),
        ("a counter", np.arange(HOUR).astype(np.float64), 0.05),
        ("a REAL of a PLC", np.float32(50 + np.cumsum(RNG.normal(0, 0.05, HOUR))).astype(np.float64), 3.5),
        ("a scaled converter", np.rint(14_000 + np.cumsum(RNG.normal(0, 3, HOUR))) * (100 / 27_648), 3.0),
        ("a value lost every minute", np.where(np.arange(HOUR) % 60, np.round(50 + np.cumsum(RNG.normal(0, 0.05, HOUR)), 2), np.nan), 1.3),
    ],
)
def test_an_hour_of_what_sensors_send_is_small(name: str, v: np.ndarray, most_bytes: float) -> None:
    original = samples(v)
    body = pack(original)

    assert len(body) / HOUR <= most_bytes, name
    assert_same(unpack(body), original)


def test_times_with_jitter_cost_little() -> None:
    t = T0 + 1000 * np.arange(HOUR) + RNG.integers(-5, 6, HOUR)

    assert len(pack(samples(np.full(HOUR, 1.0), np.sort(t)))) / HOUR <= 0.8


@pytest.mark.parametrize("body", [b"", b"no chunk", pack(samples(np.arange(9.0)))[:-9]])
def test_a_damaged_body_is_told(body: bytes) -> None:
    with pytest.raises(DecodeError, match="chunk"):
        unpack(body)


def test_nothing_joined_is_nothing() -> None:
    assert len(joined([])) == 0
