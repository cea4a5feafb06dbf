"""Every setting of every program: one table of (key, field, parser, default, help); read from the environment and `.env`.

A wrong value or an unknown key in `.env` raises SettingsError with the key and the reason; nothing guesses.
Addresses of the embedded services come from DATA_DIR/run/endpoints.json where no *_URL says otherwise.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from realtime import setting_values as read
from realtime.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table: environment key, field of Settings, parser, default as text, help for docs/settings.md."""

    key: str
    field: str
    parse: Callable[[str], Any]
    default: str
    help: str


TABLE: tuple[Setting, ...] = (
    Setting("DATABASE_URL", "database_url", read.database, "", "PostgreSQL; empty = embedded"),
    Setting("REDIS_URL", "redis_url", read.url("redis", "rediss", "unix"), "", "Redis or Valkey; empty = embedded"),
    Setting("MQTT_URL", "mqtt_url", read.url("mqtt", "mqtts"), "", "MQTT broker; empty = embedded"),
    Setting("MQTT_PREFIX", "mqtt_prefix", read.text, "", "put before every topic, so that two instances may share a broker"),
    Setting("HOST", "host", read.text, "127.0.0.1", "address the web process binds"),
    Setting("PORT", "port", read.whole(0, 65535), "5000", "port of the web process"),
    Setting("PUBLIC_URL", "public_url", read.url("http", "https"), "", "address that links in mail lead to; empty = mail without links"),
    Setting("TLS_CERT", "tls_cert", read.path, "", "certificate chain (PEM): serve https, TLS 1.2 or newer; needs TLS_KEY"),
    Setting("TLS_KEY", "tls_key", read.path, "", "private key (PEM) of TLS_CERT"),
    Setting(
        "PROXY_HOPS", "proxy_hops", read.whole(0, 5), "0", "reverse proxies in front whose X-Forwarded-For, -Proto and -Host are believed"
    ),
    Setting("LAN", "lan", read.switch, "0", "bind 0.0.0.0; needs a password that was set or printed"),
    Setting("DEMO", "demo", read.switch, "0", "start the demo plant"),
    Setting("DATA_DIR", "data_dir", Path, "var", "everything the product writes"),
    Setting("BUS_PREFIX", "bus_prefix", read.prefix, "sightline", "every key, stream and channel starts with it"),
    Setting("BUS_MAX_MB", "bus_max_mb", read.whole(8, 65536), "512", "unacknowledged data the bus may hold"),
    Setting("ASYNC_MODE", "async_mode", read.one_of("eventlet", "threading"), "eventlet", "how the web process serves"),
    Setting("WEB_PROCESSES", "web_processes", read.whole(1, 16), "1", "web processes on the one port"),
    Setting("MQTT_BIND", "mqtt_bind", read.optional, "", "host:port where the embedded broker listens for real sensors"),
    Setting("ADMIN_PASSWORD", "admin_password", read.password, "", "first admin's password; empty = random, printed once"),
    Setting("JWT_SECRET", "jwt_secret", read.secret, "", "empty = generated into a 0600 file"),
    Setting("JWT_EXPIRY_HOURS", "jwt_expiry_hours", read.number(0.01, 24), "8", "one shift"),
    Setting("AGGREGATION_WINDOW_SECONDS", "aggregation_window_s", read.number(1, 3600), "60", "window of the ten features"),
    Setting("ANOMALY_CONTAMINATION", "anomaly_contamination", read.number(0, 0.5), "0.05", "kept; limits come from left-out data"),
    Setting("ANOMALY_WARNING_THRESHOLD", "anomaly_warning", read.number(0, 1), "0.5", "warning from here: 0.5 is 1.5 x the limit"),
    Setting("ANOMALY_CRITICAL_THRESHOLD", "anomaly_critical", read.number(0, 1), "0.7", "critical from here: 0.2 more is twice as far"),
    Setting("N_ESTIMATORS", "n_estimators", read.whole(10, 1000), "100", "trees of the Isolation Forest"),
    Setting("MIN_TRAINING_SAMPLES", "min_training_samples", read.whole(10, 100000), "30", "readings before a provisional model"),
    Setting("CUSUM_K", "cusum_k", read.number(0.01, 10), "0.5", "reference value in sigma"),
    Setting("CUSUM_H", "cusum_h", lambda raw: float(raw) if raw else None, "", "decision interval; empty = by false-alarm rate"),
    Setting("NOVELTY", "novelty", read.names, "", "tags judged by novelty, with commas, or `*`; empty = none"),
    Setting("STUCK_SENSOR_MINUTES", "stuck_sensor_minutes", read.number(0.01, 10080), "15", "unchanged this long = stuck"),
    Setting("NUM_MACHINES", "num_machines", read.whole(1, 50), "3", "rotating machines of the demo plant"),
    Setting("INTERVAL_SECONDS", "interval_s", read.number(0.1, 3600), "3", "their publishing interval"),
    Setting("DEMO_HISTORY_HOURS", "demo_history_hours", read.number(2, 24 * 365), "48", "simulated healthy past that the demo starts with"),
    Setting("DEMO_TRAINING", "demo_training", read.switch, "1", "train the demo's machines at the first start; 0 = when a person asks"),
    Setting("DURATION_MINUTES", "duration_minutes", lambda raw: float(raw) if raw else None, "", "demo ends after; empty = endless"),
    Setting("PROOF_WINDOW_SECONDS", "proof_window_s", read.number(1, 604800), "14400", "running time the proof of repair watches"),
    Setting("SMTP_HOST", "smtp_host", read.optional, "", "mail relay; empty = no mail"),
    Setting("SMTP_PORT", "smtp_port", read.whole(1, 65535), "587", "mail relay port"),
    Setting("SMTP_USER", "smtp_user", read.optional, "", "mail relay user"),
    Setting("SMTP_PASSWORD", "smtp_password", read.optional, "", "mail relay password"),
    Setting(
        "SMTP_FROM",
        "smtp_from",
        read.optional,
        "",
        "sender of our mail; empty = SMTP_USER where it is an address, else sightline@SMTP_HOST",
    ),
    Setting(
        "WEBHOOK_HOSTS",
        "webhook_hosts",
        read.names,
        "",
        "hosts that webhooks may call, with commas (name, name:port or number); empty = none",
    ),
    Setting("BACKUP_DIR", "backup_dir", lambda raw: Path(raw) if raw else None, "", "where backups go; empty = DATA_DIR/backups"),
    Setting("BACKUP_HOUR", "backup_hour", read.hour, "2", "hour (UTC) of the nightly backup; `off` = none"),
    Setting("BACKUP_KEEP", "backup_keep", read.whole(1, 10_000), "14", "backups kept; older ones are removed"),
    Setting("PLC_WRITES", "plc_writes", read.switch, "0", "guarded writes to PLCs; needs PLC_WRITE_LIST (docs/plc-writes.md)"),
    Setting("PLC_WRITE_LIST", "plc_write_list", read.path, "", "the allow-list: a file outside DATA_DIR that no program of ours may write"),
    Setting(
        "PLC_WRITE_STOP", "plc_write_stop", read.path, "", "while this file exists nothing is written; empty = DATA_DIR/plc-writes.stop"
    ),
    Setting(
        "PROBE_LOCAL", "probe_local", read.switch, "0", "test, browse and preview may try this machine itself and link-local addresses"
    ),
    Setting("SINK", "sink", read.url("https", "http"), "", "edge collector: deliver here instead of the bus"),
    Setting("SINK_TOKEN", "sink_token", read.optional, "", "ingest token of the edge collector"),
    Setting("SINK_CA", "sink_ca", lambda raw: Path(raw) if raw else None, "", "file of the authority that signed the server's certificate"),
    Setting("SINK_PLAIN", "sink_plain", read.switch, "0", "allow SINK=http:// to another machine: token and readings travel in the clear"),
    Setting("SPOOL_MB", "spool_mb", read.number(0.1, 1_000_000), "2048", "disk for readings that wait, all sources together"),
    Setting("SPOOL_DAYS", "spool_days", read.number(0.01, 365), "7", "readings that wait longer are thinned to four a minute and tag"),
)

_KEYS = {setting.key: setting for setting in TABLE}


@dataclass(frozen=True, slots=True)
class Settings:
    """What TABLE says, parsed. URLs are None until `resolve_endpoints` where the embedded service is meant."""

    database_url: str | None
    redis_url: str | None
    mqtt_url: str | None
    mqtt_prefix: str
    host: str
    port: int
    public_url: str | None
    tls_cert: Path | None
    tls_key: Path | None
    proxy_hops: int
    lan: bool
    demo: bool
    data_dir: Path
    bus_prefix: str
    bus_max_mb: int
    async_mode: str
    web_processes: int
    mqtt_bind: str | None
    admin_password: str | None
    jwt_secret: str | None
    jwt_expiry_hours: float
    aggregation_window_s: float
    anomaly_contamination: float
    anomaly_warning: float
    anomaly_critical: float
    n_estimators: int
    min_training_samples: int
    cusum_k: float
    cusum_h: float | None
    novelty: tuple[str, ...]
    stuck_sensor_minutes: float
    num_machines: int
    interval_s: float
    demo_history_hours: float
    demo_training: bool
    duration_minutes: float | None
    proof_window_s: float
    smtp_host: str | None
    smtp_port: int
    smtp_user: str | None
    smtp_password: str | None
    smtp_from: str | None
    webhook_hosts: tuple[str, ...]
    backup_dir: Path | None
    backup_hour: int | None
    backup_keep: int
    plc_writes: bool
    plc_write_list: Path | None
    plc_write_stop: Path | None
    probe_local: bool
    sink: str | None
    sink_token: str | None
    sink_ca: Path | None
    sink_plain: bool
    spool_mb: float
    spool_days: float

    @property
    def run_dir(self) -> Path:
        """Where endpoints.json and state of running programs live."""
        return self.data_dir / "run"


def read_env_file(path: Path) -> dict[str, str]:
    """KEY=value lines of a `.env`; raises SettingsError on a line that is none or a key that TABLE does not know."""
    values: dict[str, str] = {}
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        key, separator, value = stripped.partition("=")
        key = key.strip()
        if not separator:
            raise SettingsError(key, f"line {number} of {path} is not KEY=value")
        if key not in _KEYS and key not in {"MQTT_BROKER", "MQTT_PORT", "SIMULATOR_ENABLED"}:
            raise SettingsError(key, f"unknown key in {path}, line {number}; docs/settings.md lists the keys")
        values[key] = value.strip().strip("\"'")
    return values


def _with_accepted_spellings(values: dict[str, str]) -> dict[str, str]:
    if values.get("MQTT_BROKER") and not values.get("MQTT_URL"):
        values["MQTT_URL"] = f"mqtt://{values['MQTT_BROKER']}:{values.get('MQTT_PORT') or 1883}"
    if values.get("SIMULATOR_ENABLED") and not values.get("DEMO"):
        values["DEMO"] = values["SIMULATOR_ENABLED"]
    return values


def load(environ: Mapping[str, str] | None = None, env_file: Path | None = Path(".env"), *, resolve: bool = True) -> Settings:
    """Settings from `.env` overlaid by the environment; raises SettingsError naming the key.

    SIGHTLINE_ENV_FILE=none in the environment ignores `.env`: the tests do. resolve=False leaves the URLs of embedded
    services unset: run.py, which starts them, asks so.
    """
    env = dict(os.environ if environ is None else environ)
    values: dict[str, str] = {}
    if env_file is not None and env.get("SIGHTLINE_ENV_FILE") != "none" and env_file.exists():
        values.update(read_env_file(env_file))
    spellings = {"MQTT_BROKER", "MQTT_PORT", "SIMULATOR_ENABLED"}
    values.update({key: value for key, value in env.items() if key in _KEYS or key in spellings})
    values = _with_accepted_spellings(values)
    parsed: dict[str, Any] = {}
    for setting in TABLE:
        raw = values.get(setting.key, setting.default)
        try:
            parsed[setting.field] = setting.parse(raw)
        except ValueError as error:
            shown = "the value given" if "SECRET" in setting.key or "PASSWORD" in setting.key else repr(raw)
            raise SettingsError(setting.key, f"{shown} is refused: {error}") from error
    parsed["data_dir"] = parsed["data_dir"].absolute()
    if parsed["lan"]:
        parsed["host"] = "0.0.0.0"  # noqa: S104 - asked for by LAN=1
    settings = Settings(**parsed)
    return resolve_endpoints(settings) if resolve else settings


def resolve_endpoints(settings: Settings) -> Settings:
    """Fill the URLs that are unset from endpoints.json of the running embedded services; None stays where it is absent."""
    path = settings.run_dir / "endpoints.json"
    if not path.exists():
        return settings
    endpoints = cast("dict[str, str]", json.loads(path.read_text("utf-8")))
    return replace(
        settings,
        database_url=settings.database_url or endpoints.get("database_url"),
        redis_url=settings.redis_url or endpoints.get("redis_url"),
        mqtt_url=settings.mqtt_url or endpoints.get("mqtt_url"),
    )


def sqlalchemy_url(database_url: str) -> str:
    """The same database for SQLAlchemy, which needs the driver in the scheme."""
    return "postgresql+psycopg2://" + database_url.split("://", 1)[1]


def require(settings: Settings, *fields: str) -> None:
    """Raise SettingsError naming the first of the given URL fields that is still unset."""
    for setting in TABLE:
        if setting.field in fields and getattr(settings, setting.field) is None:
            raise SettingsError(setting.key, "not set and no embedded service is running; start it with `make run` or set it")
