"""Every message comes back from the bus as it went in, and nothing else passes for one."""

from __future__ import annotations

import string
from dataclasses import fields
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime import codec, events
from realtime.errors import DecodeError
from realtime.events import (
    AlertType,
    Batch,
    Because,
    Command,
    Fact,
    FactName,
    Finding,
    Frame,
    Quality,
    Reason,
    Severity,
    Signal,
    SignalName,
)
from tests.realtime.batches import pictures, series, texts

any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
any_ms = st.integers(0, 4_000_000_000_000)
any_number = st.floats(allow_nan=False, allow_infinity=False)
any_data = st.dictionaries(
    any_text, st.one_of(any_text, st.integers(-(2**53), 2**53), st.none(), st.booleans(), st.lists(any_text)), max_size=4
)


def over_the_bus(encoded: dict[str, bytes]) -> dict[bytes, bytes]:
    """What Redis makes of a stream entry."""
    return {key.encode(): value for key, value in encoded.items()}


def assert_same_batch(one: Batch, other: Batch) -> None:
    for field in fields(Batch):
        if field.name in {"ids", "t", "quality", "seq"} or (field.name == "values" and one.kind == "f64"):
            np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name), strict=True)
        else:
            assert getattr(one, field.name) == getattr(other, field.name)


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    n = draw(st.integers(0, 30))
    kind = draw(st.sampled_from(["f64", "text", "frame"]))

    def column(dtype: str, low: int, high: int) -> Any:
        return np.array(draw(st.lists(st.integers(low, high), min_size=n, max_size=n)), dtype)

    values: Any
    if kind == "f64":
        values = np.array(draw(st.lists(st.floats(), min_size=n, max_size=n)), np.float64)
    elif kind == "text":
        values = draw(st.lists(any_text, min_size=n, max_size=n))
    else:
        size = {"i2": 2, "u1": 1, "f4": 4}
        values = [
            Frame(
                (h, w),
                dtype,
                draw(any_number),
                draw(any_number),
                draw(any_text),
                draw(st.binary(min_size=h * w * size[dtype], max_size=h * w * size[dtype])),
            )  # type: ignore[arg-type]
            for h, w, dtype in draw(
                st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3), st.sampled_from(["i2", "u1", "f4"])), min_size=n, max_size=n)
            )
        ]
    return Batch(
        draw(st.integers(0, 7)),
        draw(any_ms),
        draw(any_text),
        column("u4", 0, 2**32 - 1),
        column("i8", -(2**63), 2**63 - 1),
        column("u1", 0, 255),
        column("u4", 0, 2**32 - 1),
        values,
        kind=kind,  # type: ignore[arg-type]
        flags=draw(st.frozensets(st.sampled_from(["replay", "late"]))),
    )


@given(batches())
def test_a_batch_of_any_kind_comes_back_as_it_went_in(batch: Batch) -> None:
    assert_same_batch(codec.decode_batch(over_the_bus(codec.encode_batch(batch))), batch)


@given(
    st.builds(
        Finding,
        key=any_text,
        edge=st.sampled_from(["open", "update", "close"]),
        asset=st.integers(1, 2**31),
        tag=st.none() | any_text,
        type=st.sampled_from(AlertType),
        detector=any_text,
        t=any_ms,
        t_onset=any_ms,
        severity=st.sampled_from(Severity),
        score=any_number,
        limit=any_number,
        value=st.none() | any_number,
        because=st.lists(st.builds(Because, any_text, st.floats(0, 1))).map(tuple),
        config_version=st.integers(0, 2**31),
        code=st.none() | any_text,
        model_version=st.none() | st.integers(0, 2**31),
        provisional=st.booleans(),
    )
)
def test_a_finding_comes_back_as_it_went_in(finding: Finding) -> None:
    back = codec.decode_finding(over_the_bus(codec.encode_finding(finding)))

    assert back == finding
    assert isinstance(back.type, AlertType)
    assert isinstance(back.severity, Severity)


@given(st.builds(Signal, name=st.sampled_from(SignalName), t=any_ms, data=any_data))
def test_a_signal_comes_back_as_it_went_in(signal: Signal) -> None:
    assert codec.decode_signal(over_the_bus(codec.encode_signal(signal))) == signal


@given(
    st.builds(
        Fact,
        seq=st.integers(1, 2**53),
        at=any_text,
        name=st.sampled_from(FactName),
        id=st.integers(1, 2**31),
        rev=st.integers(0, 2**31),
        by=any_text,
        data=any_data,
    )
)
def test_a_fact_comes_back_as_it_went_in(fact: Fact) -> None:
    assert codec.decode_fact(over_the_bus(codec.encode_fact(fact))) == fact


@given(st.builds(Command, id=any_text, name=any_text, t=any_ms, data=any_data))
def test_a_command_comes_back_as_it_went_in(command: Command) -> None:
    assert codec.decode_command(over_the_bus(codec.encode_command(command))) == command


@given(st.sampled_from(Quality), st.sampled_from(Reason))
def test_quality_and_reason_share_a_byte_and_part_again(quality: Quality, reason: Reason) -> None:
    byte = events.quality_byte(quality, reason)

    assert 0 <= byte <= 255
    assert events.split_quality(byte) == (quality, reason)


DECODERS = [codec.decode_batch, codec.decode_finding, codec.decode_signal, codec.decode_fact, codec.decode_command]


@pytest.mark.parametrize("decode", DECODERS)
@given(junk=st.dictionaries(st.sampled_from([b"h", b"j", b"id", b"t", b"q", b"s", b"x"]), st.binary(max_size=40)))
def test_junk_is_refused_with_a_reason_and_no_other_error(decode: Any, junk: dict[bytes, bytes]) -> None:
    with pytest.raises(DecodeError) as refused:
        decode(junk)
    assert refused.value.reason


@given(st.sampled_from(["h", "id", "t", "q", "s", "x"]), st.integers(1, 7), st.sampled_from(["number", "text", "frame"]))
def test_a_batch_with_a_shortened_column_is_refused(column: str, cut: int, kind: str) -> None:
    frame = Frame((2, 2), "i2", 1.0, 0.0, "°C", bytes(8))
    batch = {"number": series(1, [1.0, 2.0]), "text": texts(1, ["a", "b"]), "frame": pictures(1, [frame, frame])}[kind]
    entry = over_the_bus(codec.encode_batch(batch))
    entry[column.encode()] = entry[column.encode()][:-cut]

    with pytest.raises(DecodeError):
        codec.decode_batch(entry)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-9, 9) | st.text(string.ascii_letters, max_size=3),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["v", "n", "kind", "shard", "flags", "source", "received_ms", "frames"]), inner)
        ),
    )
)
def test_a_header_of_any_json_is_refused_or_read_never_a_crash(header: Any) -> None:
    entry = over_the_bus(codec.encode_batch(series(1, [1.0])))
    entry[b"h"] = orjson.dumps(header)

    with pytest.raises(DecodeError):
        codec.decode_batch(entry)


def test_a_later_version_is_refused_by_name() -> None:
    entry = over_the_bus(codec.encode_batch(series(1, [1.0])))
    entry[b"h"] = entry[b"h"].replace(b'"v":1', b'"v":9')

    with pytest.raises(DecodeError, match="version 9"):
        codec.decode_batch(entry)


@pytest.mark.parametrize("frames", [[[[], "i2", 1, 0, "", 4]], [[[1], "i2", 1, 0, "", 4]], [[1, 2]], [[["a", 2], "i2", 1, 0, "", 4]], 7])
def test_a_frame_header_that_is_none_is_refused(frames: Any) -> None:
    entry = over_the_bus(codec.encode_batch(pictures(1, [Frame((1, 2), "i2", 1.0, 0.0, "", bytes(4))])))
    entry[b"h"] = orjson.dumps({**orjson.loads(entry[b"h"]), "frames": frames})

    with pytest.raises(DecodeError):
        codec.decode_batch(entry)


def test_an_unknown_kind_is_refused_by_name() -> None:
    entry = over_the_bus(codec.encode_batch(series(1, [1.0])))
    entry[b"h"] = entry[b"h"].replace(b'"f64"', b'"bits"')

    with pytest.raises(DecodeError, match="bits"):
        codec.decode_batch(entry)


def test_the_values_of_another_kind_are_a_type_error() -> None:
    with pytest.raises(TypeError):
        texts(1, ["a"]).numbers()
    with pytest.raises(TypeError):
        series(1, [1.0]).texts()
    with pytest.raises(TypeError):
        series(1, [1.0]).frames()


def test_a_frame_reads_in_engineering_units() -> None:
    frame = Frame((1, 3), "i2", 0.1, 20.0, "°C", np.array([-10, 0, 10], "<i2").tobytes())

    np.testing.assert_allclose(frame.array(), [[19.0, 20.0, 21.0]])
