"""Pictures: stored once under their key, without metadata, at the widths of the contract."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from flask import Flask
from PIL import Image

from tests.ar_feed.conftest import Headset
from tests.ar_feed.plant import FeedPlant


def picture(kind: str, width: int = 900, height: int = 600) -> bytes:
    image = Image.new("RGB", (width, height), (200, 120, 40))
    exif = Image.Exif()
    exif[0x010E] = "secret place"
    target = io.BytesIO()
    image.save(target, kind, exif=exif)
    return target.getvalue()


def upload(headset: Headset, content: bytes, declared: str = "image/jpeg", key: str | None = "key-00001"):
    headers = {} if key is None else {"Idempotency-Key": key}
    return headset.post("/media", data=content, content_type=declared, headers=headers)


@pytest.mark.parametrize(("kind", "declared"), [("JPEG", "image/jpeg"), ("PNG", "image/png"), ("WEBP", "image/webp")])
def test_picture_is_stored_and_served_narrower(headset: Headset, kind: str, declared: str) -> None:
    stored = upload(headset, picture(kind), declared)

    assert stored.status_code == 201
    assert (stored.json["w"], stored.json["h"]) == (900, 600)
    narrow = headset.get(f"/media/{stored.json['id']}?w=160")
    assert (narrow.mimetype, Image.open(io.BytesIO(narrow.data)).size) == (declared, (160, 107))
    assert "immutable" in narrow.headers["Cache-Control"]
    whole = headset.get(f"/media/{stored.json['id']}")
    assert b"secret place" not in whole.data
    assert Image.open(io.BytesIO(whole.data)).size == (900, 600)


def test_wide_picture_is_shrunk_to_1600(headset: Headset) -> None:
    assert upload(headset, picture("JPEG", 3200, 1000)).json["w"] == 1600


def test_same_key_and_bytes_answer_the_same(headset: Headset) -> None:
    content = picture("JPEG")

    assert upload(headset, content).json == upload(headset, content).json


def test_same_key_with_other_bytes_is_422(headset: Headset) -> None:
    upload(headset, picture("JPEG"))

    assert upload(headset, picture("JPEG", 100, 100)).status_code == 422


def bomb() -> bytes:
    """A PNG of a few bytes that says it is 60000 x 60000."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "declared", "status"),
    [
        (b"", "image/jpeg", 415),
        (b"not a picture", "image/jpeg", 415),
        (picture("PNG"), "image/jpeg", 415),
        (picture("JPEG")[:200], "image/jpeg", 415),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml", 415),
        (picture("JPEG"), "application/octet-stream", 415),
        (bomb(), "image/png", 413),
        (b"\xff\xd8" + b"a" * (5 * 1024 * 1024 + 1), "image/jpeg", 413),
    ],
    ids=["empty", "text", "png said to be jpeg", "cut off", "svg", "octets", "pixel bomb", "6 MB"],
)
def test_what_is_no_picture_is_refused(headset: Headset, content: bytes, declared: str, status: int) -> None:
    answer = upload(headset, content, declared)

    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")


def test_key_is_needed(headset: Headset) -> None:
    assert upload(headset, picture("JPEG"), key=None).status_code == 400


def test_unknown_width_and_foreign_site_are_refused(app: Flask, plant: FeedPlant, headset: Headset) -> None:
    stored = upload(headset, picture("JPEG")).json["id"]

    assert headset.get(f"/media/{stored}?w=161").status_code == 422
    assert Headset(app.test_client(), plant.foreign_token).get(f"/media/{stored}").status_code == 404
