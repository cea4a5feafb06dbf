"""Reads the words of a PDF that server/export/pdf.py made, page by page as copying would; not a reader of other PDFs."""

from __future__ import annotations

import re
import zlib
from base64 import a85decode

_OBJECT = re.compile(rb"(\d+) 0 obj(.*?)endobj", re.DOTALL)
_STREAM = re.compile(rb"stream\r?\n(.*)endstream", re.DOTALL)
_PIECE = re.compile(rb"/(F\d+\+?\d*) [\d.]+ Tf|\(((?:\\.|[^\\()])*)\) Tj", re.DOTALL)
_ESCAPE = re.compile(rb"\\(\d{3}|.)", re.DOTALL)
_PLAIN = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


def words(pdf: bytes) -> str:
    """All text, pieces and lines joined by one space."""
    objects = {int(number): body for number, body in _OBJECT.findall(pdf)}
    fonts = {name: _letters(objects[int(number)]) for name, number in _fonts(objects)}
    drawn = [_unpacked(body) for body in objects.values() if b"ASCII85Decode" in body]
    return " ".join(" ".join(_said(page, fonts)) for page in drawn)


def _fonts(objects: dict[int, bytes]) -> list[tuple[bytes, bytes]]:
    """(name, number of the ToUnicode map) of every embedded font."""
    found = [re.search(rb"/Name /(F\d+\+\d+).*?/ToUnicode (\d+) 0 R", body, re.DOTALL) for body in objects.values()]
    return [(match[1], match[2]) for match in found if match]


def _unpacked(body: bytes) -> bytes:
    match = _STREAM.search(body)
    packed = match[1].strip() if match else b""
    return zlib.decompress(a85decode(b"<~" + packed, adobe=True) if packed.endswith(b"~>") else packed)


def _letters(body: bytes) -> dict[int, str]:
    pairs = re.findall(rb"<([0-9A-F]{2})> <([0-9A-F]{4})>", _unpacked_map(body))
    return {int(code, 16): chr(int(letter, 16)) for code, letter in pairs}


def _unpacked_map(body: bytes) -> bytes:
    match = _STREAM.search(body)
    return zlib.decompressobj().decompress(match[1]) if match else b""


def _said(page: bytes, fonts: dict[bytes, dict[int, str]]) -> list[str]:
    said: list[str] = []
    letters: dict[int, str] = {}
    for font, raw in _PIECE.findall(page):
        if font:
            letters = fonts.get(font, {})
        else:
            plain = _ESCAPE.sub(lambda m: bytes([int(m[1], 8)]) if m[1].isdigit() else _PLAIN.get(m[1], m[1]), raw)
            said.append("".join(letters.get(code, chr(code)) for code in plain))
    return said
