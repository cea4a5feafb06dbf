"""`python -m server.backup make | list | keys FOLDER | restore FILE`; `make backup` and `make restore FILE=...` call it.

A restore needs the instance stopped; the present database is kept under another name.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import update

from realtime import settings as settings_module
from realtime.errors import SettingsError, SightlineError
from realtime.instance import take_instance
from realtime.settings import Settings
from server import audit
from server.audit_files import head_path
from server.backup import dump, place, runs
from server.backup.sealed import load_key
from server.database import Database
from server.migrate import upgrade
from server.models.plant import PlantVersion
from server.store.actor import SYSTEM
from server.timestamps import utc_now

LEAP = 1_000_000  # the restored plant is newer than any copy of the lost one that a worker still holds
KEYS = ("backup.key", "audit.key", "run/jwt_secret")


def say(text: str) -> None:
    """One line for the person at the console."""
    sys.stdout.write(text + "\n")


def make(settings: Settings) -> None:
    """A backup now."""
    with place.reachable_database(settings) as url:
        row = runs.make(url, settings, "manual", utc_now())
    say(f"{place.folder(settings) / row.file}: {row.bytes / 1e6:.1f} MB in {row.seconds:.1f} s")
    say(f"sealed with {place.key_path(settings)}: keep a copy of it elsewhere (python -m server.backup keys FOLDER)")


def show(settings: Settings) -> None:
    """What is there."""
    for path in place.listed(settings):
        say(f"{path}  {path.stat().st_size / 1e6:.1f} MB")


def copy_keys(settings: Settings, folder: Path) -> None:
    """The keys that no backup holds, into a folder that is kept apart from the backups."""
    load_key(place.key_path(settings))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if place.folder(settings).resolve() in [folder.resolve(), *folder.resolve().parents]:
        raise SettingsError("BACKUP_DIR", "keys beside their backups protect nothing; name another folder")
    for name in KEYS:
        source = settings.data_dir / name
        if source.exists():
            target = folder / source.name
            shutil.copy2(source, target)
            target.chmod(0o600)
            say(f"{target}")


def restore(settings: Settings, path: Path) -> None:
    """Put a backup in the place of the database, bring it to this version's schema and note it in the audit trail."""
    key = load_key(place.key_path(settings))
    now = datetime.now(UTC)
    with take_instance(settings), place.started(settings) as url:
        kept = dump.restore(url, path, key, now)
        upgrade(url)
        head = head_path(settings)
        former = head.read_text("ascii").split() if head.exists() else []
        head.unlink(missing_ok=True)  # the chain ends earlier now, rightly; the row below says so
        database = Database(url, pool_size=1)
        try:
            with database.transaction() as session:
                session.execute(update(PlantVersion).values(version=PlantVersion.version + LEAP, changed_at=now))
                new = {"file": path.name, "kept_as": kept, "former_head": former}
                audit.record(session, audit.Change("restore", "database", None, None, None, new), SYSTEM, now)
        finally:
            database.close()
    say(f"restored {path.name}; the database of before is kept as {kept} (drop it when all is well)")


def main() -> int:
    """0 when done; 1 with the reason."""
    parser = argparse.ArgumentParser(prog="python -m server.backup", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("make")
    commands.add_parser("list")
    commands.add_parser("keys").add_argument("folder", type=Path)
    commands.add_parser("restore").add_argument("file", type=Path)
    wanted = parser.parse_args()
    try:
        settings = settings_module.load(resolve=False)
        match wanted.command:
            case "make":
                make(settings)
            case "list":
                show(settings)
            case "keys":
                copy_keys(settings, wanted.folder)
            case _:
                restore(settings, wanted.file)
    except (SightlineError, OSError) as error:
        sys.stderr.write(f"sightline: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
