"""An encrypted stream gives back what was written, or says that it is damaged; never something shorter."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.backup import sealed
from server.backup.sealed import CHUNK, Damaged, load_key, seal, unseal

KEY = bytes(range(32))


class Trickle(io.RawIOBase):
    """A source that gives a few bytes at a time, as a pipe does."""

    def __init__(self, content: bytes, step: int) -> None:
        self._rest = io.BytesIO(content)
        self._step = step

    def read(self, size: int = -1) -> bytes:
        return self._rest.read(min(size, self._step))


def sealed_bytes(content: bytes, step: int = 1 << 20) -> bytes:
    target = io.BytesIO()
    seal(Trickle(content, step), target, KEY)  # type: ignore[arg-type]
    return target.getvalue()


@given(st.binary(max_size=4_000), st.integers(1, 700))
def test_what_was_sealed_comes_back(content: bytes, step: int) -> None:
    assert b"".join(unseal(io.BytesIO(sealed_bytes(content, step)), KEY)) == content


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_sizes_around_a_chunk_come_back(size: int) -> None:
    content = bytes(size)

    assert b"".join(unseal(io.BytesIO(sealed_bytes(content)), KEY)) == content


@given(st.integers(0), st.integers(1, 255))
def test_one_changed_byte_is_damage(at: int, by: int) -> None:
    whole = bytearray(sealed_bytes(b"work orders " * 50))
    whole[at % len(whole)] ^= by

    with pytest.raises(Damaged):
        list(unseal(io.BytesIO(bytes(whole)), KEY))


def test_a_file_cut_at_a_chunk_is_damage_and_not_a_shorter_backup() -> None:
    whole = sealed_bytes(bytes(2 * CHUNK))
    first = len(sealed.MAGIC) + sealed.SALT_BYTES + 4 + CHUNK + 16

    with pytest.raises(Damaged, match="cut off"):
        list(unseal(io.BytesIO(whole[:first]), KEY))


def test_another_key_reads_nothing() -> None:
    with pytest.raises(Damaged, match="another key"):
        list(unseal(io.BytesIO(sealed_bytes(b"parts")), bytes(32)))


def test_the_plain_text_is_not_in_the_file() -> None:
    assert b"a secret word" not in sealed_bytes(b"a secret word")


def test_the_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "d" / "backup.key"

    first = load_key(path)

    assert load_key(path) == first
    assert path.stat().st_mode & 0o777 == 0o600
