"""Models and states as signed bytes: whole, or refused before anything is parsed; never a pickle."""

from __future__ import annotations

import hmac
import io
import pickle
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ml.artefacts import KEY_FILE, MAC_BYTES, Damaged, seal, seal_model, seal_state, signing_key, unseal, unseal_model, unseal_state
from realtime.errors import SettingsError
from tests.ml.plant import T0, batch, engine, history, model, quiet_settings, snapshot, tag, wander

KEY = b"k" * 32
TAGS = [tag(11), tag(12)]
PLANT = snapshot(*TAGS)
MODEL = model(PLANT, history(TAGS, wander(1800, channels=2)))


class Explosive:
    """Unpickling it writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, (self.path,))  # type: ignore[return-value]


def test_model_comes_back_as_it_was() -> None:
    back = unseal_model(seal_model(replace(MODEL, version=3), {"windows": 7}, KEY), KEY)

    assert (back.asset, back.tag_ids, back.version, back.provisional) == (1, (11, 12), 3, False)
    for name, learned in MODEL.learned.items():
        for field, array in learned.items():
            assert np.array_equal(back.learned[name][field], array, equal_nan=array.dtype.kind == "f"), (name, field)


def test_state_comes_back_and_continues_with_the_same_findings() -> None:
    live = wander(2400, channels=2)[1800:]
    live[400:, 0] = 900.0
    one, other = engine(PLANT, MODEL), engine(PLANT, MODEL)
    for i in range(420):
        one.process([batch([11, 12], live[i], T0 + (1800 + i) * 1000)])
    other.adopt(unseal_state(seal_state(one.export(), KEY), KEY), T0)

    for i in range(420, 560):
        reading = [batch([11, 12], live[i], T0 + (1800 + i) * 1000)]
        assert other.process(reading) == one.process(reading)
    assert len(one.book.open) == 1


@pytest.mark.parametrize("at", [0, MAC_BYTES, MAC_BYTES + 3, MAC_BYTES + 40, -1])
def test_one_changed_byte_is_refused(at: int) -> None:
    raw = bytearray(seal_model(MODEL, {}, KEY))
    raw[at] ^= 1

    with pytest.raises(Damaged, match="signature"):
        unseal_model(bytes(raw), KEY)


@pytest.mark.parametrize("raw", [b"", b"short", b"x" * 1000])
def test_foreign_bytes_are_refused(raw: bytes) -> None:
    with pytest.raises(Damaged):
        unseal_model(raw, KEY)


def test_cut_short_or_signed_with_another_key_is_refused() -> None:
    raw = seal_model(MODEL, {}, KEY)

    for bad in (raw[:-10], seal_model(MODEL, {}, b"z" * 32)):
        with pytest.raises(Damaged):
            unseal_model(bad, KEY)


def test_pickle_inside_is_never_run_even_with_a_right_signature(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        array = io.BytesIO()
        np.lib.format.write_array(array, np.array([1.0]))
        header = array.getvalue()[:80].replace(b"<f8", b"|O ")
        file.writestr("drift/scale.npy", header.ljust(128, b" ") + pickle.dumps(Explosive(marker)))
    honest = seal({"asset": 1}, {}, KEY)
    length = int.from_bytes(honest[MAC_BYTES : MAC_BYTES + 4], "big")
    body = honest[MAC_BYTES : MAC_BYTES + 4 + length] + buffer.getvalue()

    with pytest.raises(Damaged):
        unseal(hmac.digest(KEY, body, "sha256") + body, KEY)
    assert not marker.exists()


def test_signing_key_is_made_once_and_private(tmp_path: Path) -> None:
    settings = quiet_settings(DATA_DIR=str(tmp_path))

    first = signing_key(settings)

    assert signing_key(settings) == first
    assert (tmp_path / "ml.key").stat().st_mode & 0o777 == 0o600
    assert signing_key(quiet_settings(DATA_DIR=str(tmp_path), JWT_SECRET="s" * 40)) == signing_key(quiet_settings(JWT_SECRET="s" * 40))


@pytest.mark.parametrize("left", [b"", b"k" * 31])
def test_a_key_that_is_not_whole_signs_nothing(tmp_path: Path, left: bytes) -> None:
    (tmp_path / KEY_FILE).write_bytes(left)

    with pytest.raises(SettingsError, match=f"{len(left)} bytes, not 32"):
        signing_key(quiet_settings(DATA_DIR=str(tmp_path)))
