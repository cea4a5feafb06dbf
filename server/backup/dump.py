"""PostgreSQL's own pg_dump and pg_restore: into an encrypted file, and out of it into a database beside the present one.

A restore changes nothing until it is whole: it fills `<name>_restoring`, looks at it, then swaps the names.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import psycopg2
from psycopg2 import sql

from realtime.embedded.postgres import find_binaries
from realtime.errors import SightlineError
from server.backup.sealed import seal, unseal

DRAFT = ".part"
PLAIN = ("--no-owner", "--no-acl")  # set-up grants again; another server has other roles


class BackupFailed(SightlineError):
    """pg_dump or pg_restore said no; the message is theirs."""


@dataclass(frozen=True, slots=True)
class Target:
    """A database as libpq programs take it: the address without its password, and the environment that holds it."""

    address: str
    environment: dict[str, str]

    @classmethod
    def of(cls, url: str) -> Target:
        """Take the password out of the URL: a command line is public."""
        parts = urlsplit(url)
        environment = dict(os.environ)
        host = parts.netloc
        if parts.password is not None:
            environment["PGPASSWORD"] = unquote(parts.password)
            user, _, place = parts.netloc.rpartition("@")
            host = f"{user.partition(':')[0]}@{place}"
        return cls(urlunsplit((parts.scheme, host, parts.path, parts.query, "")), environment)


def with_name(url: str, name: str) -> str:
    """The same server, another database."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc, f"/{name}", parts.query, ""))


def client_program(name: str, server_major: int) -> Path:
    """pg_dump or pg_restore of the server's major version, else of the next newer one; raises BackupFailed."""
    folders = [find_binaries(), *(Path(found).parent for found in [shutil.which(name)] if found)]
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    fitting = {major: folder / name for folder in folders for major in [_major(folder / name)] if major >= server_major}
    if not fitting:
        raise BackupFailed(f"no {name} of PostgreSQL {server_major} or newer; install postgresql-client-{server_major}")
    return fitting[min(fitting)]


def _major(program: Path) -> int:
    if not program.exists():
        return 0
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"(\d+)", told)
    return int(found.group(1)) if found else 0


@contextmanager
def connected(url: str) -> Iterator[Any]:
    """An autocommit connection; raises BackupFailed when the server is away or refuses."""
    try:
        connection = psycopg2.connect(url, connect_timeout=5)
    except psycopg2.OperationalError as error:
        raise BackupFailed(str(error).strip()) from error
    try:
        connection.autocommit = True
        yield connection
    finally:
        connection.close()


def _server_major(url: str) -> int:
    with connected(url) as connection:
        return int(connection.server_version) // 10_000


def dump(url: str, path: Path, key: bytes) -> int:
    """Write the whole database into an encrypted file, which appears only when it is whole; its size in bytes. Raises BackupFailed."""
    target = Target.of(url)
    command: list[str | Path] = [
        client_program("pg_dump", _server_major(url)),
        "--format=custom",
        "--no-owner",
        "--no-acl",
        f"--dbname={target.address}",
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + DRAFT)
    try:
        with (
            draft.open("wb") as file,
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=target.environment) as process,
        ):
            draft.chmod(0o600)
            assert process.stdout is not None
            assert process.stderr is not None
            seal(process.stdout, file, key)  # type: ignore[arg-type]
            told = process.stderr.read().decode(errors="replace")
            file.flush()
            os.fsync(file.fileno())
        if process.returncode != 0:
            raise BackupFailed(told.strip() or "pg_dump failed")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return path.stat().st_size


def restore(url: str, path: Path, key: bytes, now: datetime) -> str:
    """Put a backup in the place of the database; returns the name under which the present one is kept. Raises BackupFailed, Damaged.

    Nobody else may be connected: the caller holds the instance's lock.
    """
    name = urlsplit(url).path.lstrip("/")
    admin = with_name(url, "postgres")
    draft = f"{name}_restoring_{secrets.token_hex(3)}"
    kept = f"{name}_before_{now:%Y%m%d_%H%M%S}"
    _run_on(admin, "CREATE DATABASE {} TEMPLATE template0", draft)
    try:
        _fill(with_name(url, draft), path, key)
        _look_at(with_name(url, draft))
        _run_on(admin, "ALTER DATABASE {} RENAME TO {}", name, kept)
        _run_on(admin, "ALTER DATABASE {} RENAME TO {}", draft, name)
    finally:
        _run_on(admin, "DROP DATABASE IF EXISTS {}", draft)
    return kept


def _fill(url: str, path: Path, key: bytes) -> None:
    target = Target.of(url)
    command: list[str | Path] = [
        client_program("pg_restore", _server_major(url)),
        "--no-owner",
        "--no-acl",
        "--exit-on-error",
        f"--dbname={target.address}",
    ]
    with (
        path.open("rb") as file,
        subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=target.environment) as process,
    ):
        assert process.stdin is not None
        assert process.stderr is not None
        try:
            for chunk in unseal(file, key):
                process.stdin.write(chunk)
        except BrokenPipeError:
            pass  # pg_restore has said why, and ended
        except BaseException:
            process.kill()
            raise
        process.stdin.close()
        told = process.stderr.read().decode(errors="replace")
    if process.returncode != 0:
        raise BackupFailed(told.strip() or "pg_restore failed")


def _look_at(url: str) -> None:
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM alembic_version")
        if cursor.fetchone() != (1,):
            raise BackupFailed("the backup holds no schema of Sightline")


def _run_on(url: str, statement: str, *names: str) -> None:
    with connected(url) as connection, connection.cursor() as cursor:
        try:
            cursor.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
        except psycopg2.Error as error:
            raise BackupFailed(f"{statement.split('{', maxsplit=1)[0].strip()} {names[0]}: {str(error).strip()}") from error
