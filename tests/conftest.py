"""Real servers for the tests: PostgreSQL, Valkey and an MQTT broker of our own, started once a session.

Default tests ignore DATABASE_URL, REDIS_URL, MQTT_URL and `.env`. With TEST_DATABASE_URL, TEST_REDIS_URL, TEST_MQTT_URL
(`make test-external`) those servers are used instead, in a database, bus prefix and topic prefix of our own that are dropped at the end.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg2
import pytest
from argon2 import PasswordHasher
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

for _key in (
    "DATABASE_URL",
    "REDIS_URL",
    "MQTT_URL",
    "MQTT_BROKER",
    "DEMO",
    "SIMULATOR_ENABLED",
    "DATA_DIR",
    "ADMIN_PASSWORD",
    "JWT_SECRET",
):
    os.environ.pop(_key, None)
os.environ["SIGHTLINE_ENV_FILE"] = "none"

from realtime import settings as settings_module  # noqa: E402
from realtime.bus import Bus, connect  # noqa: E402
from realtime.embedded.home import Home, home_for, remove_home  # noqa: E402
from realtime.embedded.mqtt_broker import EmbeddedBroker, find_mosquitto  # noqa: E402
from realtime.embedded.postgres import EmbeddedPostgres  # noqa: E402
from realtime.embedded.valkey import EmbeddedValkey  # noqa: E402
from server.auth import passwords  # noqa: E402
from server.database import Database  # noqa: E402
from server.migrate import upgrade  # noqa: E402
from tests.order import in_order  # noqa: E402

# no test judges speed: a loaded machine must not fail a property
UNTIMED = hypothesis_settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
# every run draws the same examples; `--hypothesis-profile=search` draws new ones
hypothesis_settings.register_profile("same", UNTIMED, derandomize=True, database=None)
hypothesis_settings.register_profile("search", UNTIMED, derandomize=False)
hypothesis_settings.load_profile("same")

# Hashes that cost no time in this process. Not in a fixture: some modules hash their password while they are imported, and to
# verify that costs what it was hashed with, at every login.
SHIPPED_HASHER = passwords._hasher
passwords._hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)

TEMPLATE = "sightline_template"
SERVERS = frozenset({"postgres_server", "redis_url", "mqtt_url"})  # the fixtures that `make test-external` puts other servers behind


def external_url(name: str) -> str | None:
    """The server that `make test-external` was told to use; None in every other run, whatever the environment holds."""
    return os.environ.get(name) if os.environ.get("SIGHTLINE_TEST_EXTERNAL") == "1" else None


@pytest.fixture(scope="session")
def shipped_hasher() -> PasswordHasher:
    """The product's own, which tests/server/auth judges."""
    return SHIPPED_HASHER


@pytest.fixture(scope="session")
def services_home() -> Iterator[Home]:
    """Folders of this session's services; a plain service user may enter them."""
    folder = Path(tempfile.mkdtemp(prefix="slt-"))
    folder.chmod(0o755)
    yield home_for(folder / "d")
    remove_home(folder / "d")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server(services_home: Home) -> Iterator[str]:
    """URL of a server where databases may be made: external when TEST_DATABASE_URL is set."""
    external = external_url("TEST_DATABASE_URL")
    if external:
        yield external
        return
    server = EmbeddedPostgres(services_home, durable=False)
    server.start()
    server.wait_ready()
    yield server.url
    server.stop()


def with_database(url: str, name: str) -> str:
    """The same server, another database."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc, f"/{name}", parts.query, ""))


def run_on(url: str, statement: str) -> None:
    """One statement outside a transaction."""
    connection = psycopg2.connect(url)
    try:
        connection.autocommit = True
        connection.cursor().execute(statement)
    finally:
        connection.close()


@pytest.fixture(scope="session")
def new_database(postgres_server: str) -> Iterator[Callable[[str | None], str]]:
    """Makes a database (of a template, or empty) and drops all it made at the end."""
    made: list[str] = []

    def make(template: str | None = None) -> str:
        name = f"slt_{secrets.token_hex(6)}"
        run_on(postgres_server, f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else " TEMPLATE template0"))
        run_on(postgres_server, f"ALTER DATABASE {name} SET synchronous_commit = off")  # nothing here outlives the server
        made.append(name)
        return with_database(postgres_server, name)

    yield make
    for name in made:
        run_on(postgres_server, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        run_on(postgres_server, f"DROP ROLE IF EXISTS {name}_server")  # set-up makes it (server/database_role.py)


@pytest.fixture(scope="session")
def template_database(postgres_server: str) -> Iterator[str]:
    """Name of a migrated database that the others are copied from."""
    name = f"{TEMPLATE}_{secrets.token_hex(4)}"
    run_on(postgres_server, f"CREATE DATABASE {name} TEMPLATE template0")
    upgrade(with_database(postgres_server, name))
    yield name
    run_on(postgres_server, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def postgres_url(new_database: Callable[[str | None], str], template_database: str) -> str:
    """A migrated database for this module."""
    return new_database(template_database)


@pytest.fixture(scope="module")
def module_pool(postgres_url: str) -> Iterator[Database]:
    """A pool on the module's database: connections are opened and statements compiled once a module, not once a test."""
    database = Database(postgres_url)
    yield database
    database.close()


@pytest.fixture
def fresh_postgres_url(new_database: Callable[[str | None], str], template_database: str) -> str:
    """A migrated database for this test alone."""
    return new_database(template_database)


@pytest.fixture
def bare_postgres_url(new_database: Callable[[str | None], str]) -> str:
    """An empty database for this test."""
    return new_database(None)


@pytest.fixture(scope="session")
def redis_url(services_home: Home) -> Iterator[str]:
    """URL of the session's Valkey: external when TEST_REDIS_URL is set."""
    external = external_url("TEST_REDIS_URL")
    if external:
        yield external
        return
    server = EmbeddedValkey(services_home)
    server.start()
    server.wait_ready()
    yield server.url
    server.stop()


@pytest.fixture
def bus_prefix(redis_url: str) -> Iterator[str]:
    """A prefix of this test's own; its keys are removed at the end."""
    prefix = f"t{secrets.token_hex(5)}"
    yield prefix
    client = connect(redis_url)
    keys = list(client.scan_iter(f"{prefix}:*", count=1000))
    if keys:
        client.delete(*keys)
    client.close()


@pytest.fixture
def bus(redis_url: str, bus_prefix: str) -> Iterator[Bus]:
    """A bus of this test's own."""
    client = connect(redis_url)
    yield Bus(client, bus_prefix)
    client.close()


def _broker(home: Home, program: str) -> Iterator[str]:
    folder = Home(data=home.data / program, sockets=home.sockets, uid=home.uid)
    folder.data.mkdir(exist_ok=True)
    server = EmbeddedBroker(folder, program=program)
    server.start()
    server.wait_ready()
    yield server.url()
    server.stop()


@pytest.fixture(scope="session")
def amqtt_url(services_home: Home) -> Iterator[str]:
    """amqtt, which every machine has."""
    yield from _broker(services_home, "amqtt")


@pytest.fixture(scope="session")
def mqtt_url(services_home: Home) -> Iterator[str]:
    """The broker that `make run` would take here: external when TEST_MQTT_URL is set, else mosquitto, else amqtt."""
    external = external_url("TEST_MQTT_URL")
    if external:
        yield external
        return
    yield from _broker(services_home, "mosquitto" if find_mosquitto() else "amqtt")


@pytest.fixture
def mqtt_prefix() -> str:
    """A topic prefix of this test's own."""
    return f"slt/{secrets.token_hex(5)}/"


@pytest.fixture
def environment(postgres_url: str, redis_url: str, mqtt_url: str, bus_prefix: str, mqtt_prefix: str, tmp_path: Path) -> dict[str, str]:
    """Environment for a program of ours started as a subprocess against this test's services."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "PYTHONPATH": str(Path(__file__).parent.parent),
        "SIGHTLINE_ENV_FILE": "none",
        "DATABASE_URL": postgres_url,
        "REDIS_URL": redis_url,
        "MQTT_URL": mqtt_url,
        "MQTT_PREFIX": mqtt_prefix,
        "BUS_PREFIX": bus_prefix,
        "DATA_DIR": str(tmp_path / "var"),
        "PORT": "0",
    }


@pytest.fixture
def settings(environment: dict[str, str]) -> settings_module.Settings:
    """The same as Settings."""
    return settings_module.load(environment, None)


CHROMIUM = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
BROWSER_TESTS = Path(__file__).parent / "browser"


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of the browser."""
    assert CHROMIUM is not None
    return CHROMIUM


def _browser_tests() -> int:
    return sum(text.count("\ndef test_") for text in (path.read_text("utf-8") for path in BROWSER_TESTS.glob("test_*.py")))


def _has_no_place_here(item: pytest.Item) -> bool:
    if CHROMIUM is None and item.get_closest_marker("browser"):
        return True
    asks_no_server = SERVERS.isdisjoint(getattr(item, "fixturenames", ()))
    return asks_no_server and os.environ.get("SIGHTLINE_TEST_EXTERNAL") == "1"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without Chromium the browser tests are deselected, the last line counts them; `make test-external` runs what asks for a server."""
    gone = {item for item in items if _has_no_place_here(item)}
    if gone:
        config.hook.pytest_deselected(items=list(gone))
    items[:] = in_order([item for item in items if item not in gone])  # as the workers of `make test` are handed them


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The count that `.ci/run` reads through BROWSER_REQUIRED."""
    terminalreporter.write_line(f"browser tests deselected for want of Chromium: {0 if CHROMIUM else _browser_tests()}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """CI must not pass without the browser."""
    if CHROMIUM is None and os.environ.get("BROWSER_REQUIRED") == "1" and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
