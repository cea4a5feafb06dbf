"""Errors that more than one folder raises or catches; each carries what it is about.

Errors of one folder only live in that folder.
"""

from __future__ import annotations


class SightlineError(Exception):
    """Base of every error of our own."""


class SettingsError(SightlineError):
    """A setting is unknown, missing or wrong; the program does not start."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(f"{key}: {reason}")
        self.key = key
        self.reason = reason


class DecodeError(SightlineError):
    """A bus entry cannot be read; it goes to the dead-letter stream with this reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class BusUnavailable(SightlineError):
    """Redis does not answer; the caller spools, stops acknowledging or answers 503."""


class BusFull(SightlineError):
    """The bus holds BUS_MAX_MB of unacknowledged entries; nothing more may be added."""


class HistoryUnavailable(SightlineError):
    """PostgreSQL does not answer; readings wait on the bus."""
