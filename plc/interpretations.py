"""What the same 16-bit registers mean under every type and byte order: for the engineer who does not know how a device packs them. Pure."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence

from plc.addressing import kinds, s7
from plc.addressing.errors import AddressError

MOST_WORDS = 4
TYPES = {1: ("int16", "uint16"), 2: ("int32", "uint32", "float32"), 4: ("int64", "uint64", "float64")}
CODES = {"int16": "h", "uint16": "H", "int32": "i", "uint32": "I", "float32": "f", "int64": "q", "uint64": "Q", "float64": "d"}
ORDERS = {  # (bytes of a word swapped, words swapped)
    "ABCD": (False, False),
    "CDAB": (False, True),
    "BADC": (True, False),
    "DCBA": (True, True),
}


def word_addresses(kind: str, address: str) -> list[str]:
    """Addresses of the 16-bit words that begin where `address` does, at most MOST_WORDS; [] where the kind has none."""
    try:
        parsed = kinds.parsed(kind, address)
    except (AddressError, KeyError):
        return []
    if isinstance(parsed, s7.S7Address):
        if parsed.area in {"T", "C"} or parsed.type == "BOOL":
            return []
        names = [f"DB{parsed.db}.DBW" if parsed.area == "DB" else f"{parsed.area}W"]
        return [f"{names[0]}{parsed.byte + 2 * n}:WORD" for n in range(MOST_WORDS)]
    words = getattr(parsed, "words", None)
    return [f"{word}:ABCD" for word in words(MOST_WORDS)] if words else []  # as sent, whatever order the source says


def interpretations(words: Sequence[int]) -> list[dict[str, str | float | None]]:
    """Every type in every order that the words are enough for; words as the device sent them, big end first. None is no number."""
    found: list[dict[str, str | float | None]] = []
    for size, types in TYPES.items():
        if len(words) < size:
            break
        for order, (swaps_bytes, swaps_words) in ORDERS.items():
            if size == 1 and swaps_words:
                continue
            taken = list(words[:size])[:: -1 if swaps_words else 1]
            raw = b"".join(struct.pack("<H" if swaps_bytes else ">H", word) for word in taken)
            for name in types:
                (value,) = struct.unpack(f">{CODES[name]}", raw)
                shown = "AB" if order == "ABCD" else "BA"
                number = None if isinstance(value, float) and not math.isfinite(value) else value
                found.append(
                    {
                        "type": name,
                        "order": shown if size == 1 else order,
                        "value": number,
                        "text": f"{value:.7g}" if name[0] == "f" else str(value),
                    }
                )
    return found
