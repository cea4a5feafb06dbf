"""How the text of a setting is read: each parser takes it and returns the value, or raises ValueError with what it must be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit


def text(raw: str) -> str:
    return raw


def optional(raw: str) -> str | None:
    return raw or None


def switch(raw: str) -> bool:
    if raw.lower() in {"1", "true", "yes", "on"}:
        return True
    if raw.lower() in {"", "0", "false", "no", "off"}:
        return False
    raise ValueError("must be 1 or 0")


def whole(low: int, high: int) -> Callable[[str], int]:
    def parse(raw: str) -> int:
        value = int(raw)
        if not low <= value <= high:
            raise ValueError(f"must be {low} to {high}")
        return value

    return parse


def number(low: float, high: float) -> Callable[[str], float]:
    def parse(raw: str) -> float:
        value = float(raw)
        if not low <= value <= high:
            raise ValueError(f"must be {low} to {high}")
        return value

    return parse


def one_of(*words: str) -> Callable[[str], str]:
    def parse(raw: str) -> str:
        if raw not in words:
            raise ValueError(f"must be one of {', '.join(words)}")
        return raw

    return parse


def url(*schemes: str) -> Callable[[str], str | None]:
    def parse(raw: str) -> str | None:
        if raw and urlsplit(raw).scheme not in schemes:
            raise ValueError(f"must start with one of {', '.join(s + '://' for s in schemes)}")
        return raw or None

    return parse


def database(raw: str) -> str | None:
    found = url("postgresql", "postgres", "postgresql+psycopg2")(raw)
    # libpq and psycopg2 read postgresql://; SQLAlchemy 2.1 reads that as psycopg 3, see `sqlalchemy_url`.
    return found and "postgresql://" + found.split("://", 1)[1]


def password(raw: str) -> str | None:
    if raw and len(raw) < 12:
        raise ValueError("must be 12 characters or more")
    return raw or None


def secret(raw: str) -> str | None:
    if raw and len(raw.encode()) < 32:
        raise ValueError("must be 32 bytes or more")
    return raw or None


def prefix(raw: str) -> str:
    if not raw or not all(c.isalnum() or c in "-_" for c in raw):
        raise ValueError("must be letters, digits, - and _")
    return raw


def names(raw: str) -> tuple[str, ...]:
    return tuple(word.strip().lower() for word in raw.split(",") if word.strip())


def path(raw: str) -> Path | None:
    return Path(raw).absolute() if raw else None


def hour(raw: str) -> int | None:
    return None if raw == "off" else whole(0, 23)(raw)
