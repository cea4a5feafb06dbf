"""A backup of a real database comes back whole, with the embedded server's own pg_dump and pg_restore, and never half."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import pytest
from alembic import command

from realtime import settings as settings_module
from realtime.settings import Settings
from server import migrate
from server.backup import place, runs
from server.backup.dump import BackupFailed, Target
from server.backup.sealed import load_key
from server.database import Database
from server.models.audit import AuditLog
from server.models.jobs import BackgroundJob
from server.models.operations import Backup
from server.models.plant import Site
from server.store import background

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 11, 20, 2, 5, tzinfo=UTC)


@pytest.fixture
def url(new_database: Callable[[str | None], str], template_database: str) -> str:
    """A migrated database of this test's own."""
    return new_database(template_database)


@pytest.fixture
def here(url: str, tmp_path: Path) -> Settings:
    """Settings of an instance on it."""
    return settings_module.load({"DATABASE_URL": url, "DATA_DIR": str(tmp_path / "var"), "BACKUP_KEEP": "2"}, None)


def program(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`python -m server.backup ...` as a person calls it."""
    environment = {
        "PATH": os.environ["PATH"],
        "SIGHTLINE_ENV_FILE": "none",
        "DATABASE_URL": str(settings.database_url),
        "DATA_DIR": str(settings.data_dir),
    }
    command_line = [sys.executable, "-m", "server.backup", *arguments]
    return subprocess.run(command_line, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)


def add_site(url: str, code: str) -> None:
    database = Database(url, pool_size=1)
    with database.transaction() as session:
        session.add(Site(code=code, name=f"Site {code}"))
    database.close()


def sites(url: str) -> set[str]:
    connection = psycopg2.connect(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT code FROM sites")
            return {row[0] for row in cursor.fetchall()}
    finally:
        connection.close()


def drop(url: str, name: str) -> None:
    """Remove what a restore kept."""
    admin = psycopg2.connect(url.replace(urlsplit(url).path, "/postgres"))
    try:
        admin.autocommit = True
        admin.cursor().execute(f"DROP DATABASE {name}")
    finally:
        admin.close()


def test_a_backup_restored_holds_what_was_there_and_keeps_what_came_later_aside(here: Settings, url: str) -> None:
    add_site(url, "BEFORE")
    made = program(here, "make")
    add_site(url, "AFTER")

    restored = program(here, "restore", str(place.listed(here)[0]))

    assert made.returncode == 0, made.stderr
    assert restored.returncode == 0, restored.stderr
    assert sites(url) == {"BEFORE"}
    kept = restored.stdout.split("kept as ")[1].split()[0]
    assert sites(url.replace(urlsplit(url).path, f"/{kept}")) == {"BEFORE", "AFTER"}
    drop(url, kept)


def test_a_restore_is_in_the_audit_trail(here: Settings, url: str) -> None:
    program(here, "make")
    name = place.listed(here)[0].name

    restored = program(here, "restore", str(place.listed(here)[0]))

    database = Database(url, pool_size=1)
    with database.transaction() as session:
        row = session.query(AuditLog).filter_by(action="restore").one()
    database.close()
    assert row.new is not None
    assert row.new["file"] == name
    drop(url, restored.stdout.split("kept as ")[1].split()[0])


def test_a_damaged_backup_changes_nothing(here: Settings, url: str) -> None:
    add_site(url, "MINE")
    program(here, "make")
    path = place.listed(here)[0]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))

    refused = program(here, "restore", str(path))

    assert refused.returncode == 1
    assert "damaged" in refused.stderr
    assert sites(url) == {"MINE"}


def test_a_running_instance_is_not_restored_under_its_feet(here: Settings, url: str) -> None:
    add_site(url, "MINE")
    program(here, "make")

    with place.take_instance(here):
        refused = program(here, "restore", str(place.listed(here)[0]))

    assert refused.returncode == 1
    assert "in use" in refused.stderr
    assert sites(url) == {"MINE"}


def test_the_oldest_backups_go_and_each_is_listed_with_its_size(here: Settings, url: str) -> None:
    for hour in range(3):
        runs.make(url, here, "manual", NOW + timedelta(hours=hour))

    assert [path.name[10:25] for path in place.listed(here)] == ["20261120T030500", "20261120T040500"]
    database = Database(url, pool_size=1)
    with database.transaction() as session:
        found = runs.newest(session, NOW + timedelta(hours=3))
    database.close()
    assert found is not None
    assert (found["age_s"], found["failed"]) == (3600, None)
    assert found["bytes"] == place.listed(here)[-1].stat().st_size


def test_a_backup_that_failed_is_told_and_leaves_no_file(here: Settings, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.backup.dump.client_program", lambda *_: Path("/bin/false"))

    with pytest.raises(BackupFailed):
        runs.make(url, here, "manual", NOW)

    database = Database(url, pool_size=1)
    with database.transaction() as session:
        found = runs.newest(session, NOW)
    database.close()
    assert found is not None
    assert found["failed"]
    assert list(place.folder(here).iterdir()) == []


def test_keys_go_apart_from_the_backups(here: Settings, tmp_path: Path) -> None:
    program(here, "make")

    beside = program(here, "keys", str(place.folder(here) / "keys"))
    apart = program(here, "keys", str(tmp_path / "safe"))

    assert beside.returncode == 1
    assert apart.returncode == 0, apart.stderr
    assert load_key(tmp_path / "safe" / "backup.key") == load_key(place.key_path(here))


def test_an_upgrade_takes_a_backup_first(here: Settings, url: str) -> None:
    assert not migrate.awaits_upgrade(url)
    config = migrate._config()
    config.attributes["url"] = url
    command.downgrade(config, "-1")

    assert migrate.awaits_upgrade(url)
    row = runs.make(url, here, "upgrade", NOW)  # the schema of before has no table for the row
    migrate.upgrade(url)

    assert row.ok
    assert not migrate.awaits_upgrade(url)


@pytest.mark.parametrize(
    ("last_h", "hour", "asked"),
    [(None, 2, False), (25, 2, True), (25, 3, False), (27, 3, True), (1, 2, False), (27, None, False)],
    ids=["new plant", "in its hour", "another hour", "a night was missed", "just made", "off"],
)
def test_the_nightly_backup_is_asked_for_once(url: str, last_h: int | None, hour: int | None, asked: bool) -> None:
    database = Database(url, pool_size=1)
    now = datetime.now(UTC).replace(hour=2, minute=30)
    with database.transaction() as session:
        if last_h is not None:
            at = now - timedelta(hours=last_h)
            session.add(Backup(at=at, reason="nightly", file="f", bytes=1, seconds=1.0, ok=True, message=""))
    for _ in range(2):
        with database.transaction() as session:
            runs.ask_when_due(session, now, hour)
    with database.transaction() as session:
        jobs = session.query(BackgroundJob).filter(BackgroundJob.name == runs.JOB, BackgroundJob.state.in_(background.OPEN)).count()
    database.close()

    assert jobs == (1 if asked else 0)


def test_a_password_is_on_no_command_line() -> None:
    target = Target.of("postgresql://me:s%40cret@db.plant:5432/sightline?sslmode=require")

    assert target.address == "postgresql://me@db.plant:5432/sightline?sslmode=require"
    assert target.environment["PGPASSWORD"] == "s@cret"


def test_the_job_makes_the_backup(here: Settings, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made: dict[str, Any] = {}
    monkeypatch.setattr(settings_module, "load", lambda: here)
    database = Database(url, pool_size=1)
    with database.transaction() as session:
        job = BackgroundJob(name=runs.JOB, queue="server", created_by="system", created_at=NOW)
        session.add(job)
        session.flush()
        made["id"] = job.id

    runs.run_job(made["id"])

    with database.transaction() as session:
        row = session.get_one(BackgroundJob, made["id"])
        assert (row.state, row.result["file"]) == ("done", place.listed(here)[-1].name)
    database.close()
