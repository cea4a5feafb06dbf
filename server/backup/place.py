"""Where the backups are, and the database they are of: the running one, or the embedded one started for the purpose."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from realtime import settings as settings_module
from realtime.embedded.home import home_for
from realtime.embedded.postgres import EmbeddedPostgres
from realtime.errors import SettingsError
from realtime.instance import take_instance
from realtime.settings import Settings

KEY_NAME = "backup.key"
SUFFIX = ".slbackup"


def folder(settings: Settings) -> Path:
    """BACKUP_DIR."""
    return settings.backup_dir or settings.data_dir / "backups"


def key_path(settings: Settings) -> Path:
    """The key that every backup of this instance is sealed with."""
    return settings.data_dir / KEY_NAME


def listed(settings: Settings) -> list[Path]:
    """The backups that are there, oldest first: names carry their time."""
    return sorted(folder(settings).glob(f"sightline-*{SUFFIX}"))


@contextmanager
def reachable_database(settings: Settings) -> Iterator[str]:
    """URL of the database; an embedded one that does not run is started for the time of the block. `settings` are unresolved."""
    if settings.database_url is not None:
        yield settings.database_url
        return
    try:
        lock = take_instance(settings)
    except SettingsError:
        running = settings_module.resolve_endpoints(settings)
        settings_module.require(running, "database_url")
        yield str(running.database_url)
        return
    with lock, started(settings) as url:
        yield url


@contextmanager
def started(settings: Settings) -> Iterator[str]:
    """URL of DATABASE_URL, else of the embedded server, started and stopped here; the caller holds the instance's lock."""
    if settings.database_url is not None:
        yield settings.database_url
        return
    server = EmbeddedPostgres(home_for(settings.data_dir))
    server.start()
    try:
        server.wait_ready()
        yield server.url
    finally:
        server.stop()
