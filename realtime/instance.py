"""One run.py, one restore at a time for a DATA_DIR: the lock that says who has it."""

from __future__ import annotations

import fcntl
from typing import TextIO

from realtime.errors import SettingsError
from realtime.settings import Settings


def take_instance(settings: Settings) -> TextIO:
    """The lock of this DATA_DIR, held while the file is open; raises SettingsError when somebody else holds it."""
    settings.run_dir.mkdir(parents=True, exist_ok=True)
    lock = (settings.run_dir / "lock").open("w", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise SettingsError("DATA_DIR", f"{settings.data_dir} is in use by a running instance; give this one another") from error
    return lock
