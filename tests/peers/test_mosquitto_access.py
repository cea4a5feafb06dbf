"""TLS with an own authority and client certificates, users and access lists, against the independent mosquitto."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from plc.connector import LinkError
from realtime.bus import now_ms
from realtime.embedded.mqtt_broker import mosquitto_hash
from tests.peers.test_mosquitto import TAGS, lines_published, reading
from tests.plc.certificates import Authority, Pair
from tests.plc.mosquitto import Mosquitto
from tests.plc.pushed import Pushed

pytestmark = pytest.mark.peer


@dataclass(frozen=True)
class Secure:
    """A broker that wants a certificate of our authority."""

    broker: Mosquitto
    authority: Authority
    pair: Pair

    def config(self, **more: Any) -> dict[str, Any]:
        url = f"mqtts://127.0.0.1:{self.broker.port}"
        return {"url": url, "ca": str(self.authority.ca), "cert": str(self.pair.cert), "key": str(self.pair.key), **more}


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    folder = tmp_path_factory.mktemp("tls")
    authority = Authority(folder)
    server = authority.pair("server")
    lines = [f"cafile {authority.ca}", f"certfile {server.cert}", f"keyfile {server.key}", "require_certificate true"]
    broker = Mosquitto(folder / "b", [*lines, "allow_anonymous true"]).start()
    yield Secure(broker, authority, authority.pair("collector"))
    broker.stop()


@pytest.mark.parametrize("version", [3, 5])
def test_readings_come_over_tls_with_a_client_certificate(secure: Secure, version: int) -> None:
    t0 = now_ms()
    tls = ["--cafile", str(secure.authority.ca), "--cert", str(secure.pair.cert), "--key", str(secure.pair.key)]
    with Pushed("mqtt", secure.config(version=version), TAGS, prefix=f"tls{version}") as ours:
        lines_published(secure.broker, "readings/PT-101", [reading(n, n, t0 + n) for n in range(3000)], *tls)
        rows = ours.until(lambda rows: len(rows) >= 3000 and rows, "every reading")
        described = ours.connector.describe()

    assert [(row.t, row.value) for row in rows] == [(t0 + n, float(n)) for n in range(3000)]
    assert (described["ca_days"], described["cert_days"]) == (29, 19)


def refused(config: dict[str, Any]) -> LinkError:
    with pytest.raises(LinkError) as caught, Pushed("mqtt", config, TAGS):
        pass
    return caught.value


def test_what_is_wrong_with_a_certificate_is_said_with_its_remedy(secure: Secure, tmp_path: Path) -> None:
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("hello")
    expired = secure.authority.pair("expired", timedelta(days=-1))
    other = secure.authority.pair("other")
    stranger = Authority(tmp_path, "stranger")
    cases: list[tuple[dict[str, Any], str, str]] = [
        ({"ca": str(tmp_path / "none.pem")}, "no such file", "correct the path"),
        ({"ca": str(tmp_path)}, "cannot be read", "let the collector's user read it"),
        ({"cert": str(garbage)}, "is no PEM certificate", "BEGIN CERTIFICATE"),
        ({"cert": str(expired.cert), "key": str(expired.key)}, "expired on", "renew it"),
        ({"key": str(other.key)}, "does not fit", "the certificate was made for"),
        ({"key": None}, "belong together", "give both"),
        ({"ca": str(stranger.ca)}, "its certificate is not accepted", "give the broker's authority as ca"),
        ({"url": f"mqtts://localhost:{secure.broker.port}"}, "its certificate is not accepted", "the name that stands in its certificate"),
        ({"url": secure.broker.url}, "of no use on a plain link", "mqtts://"),
    ]
    for changed, detail, remedy in cases:
        error = refused(secure.config(**changed))
        assert detail in error.detail, changed
        assert remedy in error.remedy, changed


def test_no_client_certificate_is_refused_by_the_broker_and_soon(secure: Secure) -> None:
    error = refused({**secure.config(), "cert": None, "key": None})

    assert error.reason in {"login", "protocol", "no_route"}


def test_a_certificate_that_ends_soon_is_warned_of(secure: Secure, caplog: pytest.LogCaptureFixture) -> None:
    with Pushed("mqtt", secure.config(), TAGS):
        pass

    assert any("cert expires in 19 days" in record.message for record in caplog.records)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "passwords").write_text(f"collector:{mosquitto_hash('right horse')}\nnobody:{mosquitto_hash('nothing much')}\n")
    (folder / "passwords").chmod(0o600)
    (folder / "acl").write_text("user collector\ntopic readwrite readings/#\n\nuser nobody\ntopic read other/#\n")
    (folder / "acl").chmod(0o600)
    lines = ["allow_anonymous false", f"password_file {folder / 'passwords'}", f"acl_file {folder / 'acl'}"]
    broker = Mosquitto(folder / "b", lines).start()
    yield broker
    broker.stop()


@pytest.mark.parametrize("version", [3, 5])
def test_user_and_password_stand_in_the_url_or_beside_it(guarded: Mosquitto, version: int) -> None:
    t = now_ms()
    beside = {"url": guarded.url, "user": "collector", "password": "right horse", "topics": ["readings/#"], "version": version}
    within = {"url": f"mqtt://collector:right%20horse@127.0.0.1:{guarded.port}", "topics": ["readings/#"], "version": version}
    with Pushed("mqtt", beside, TAGS, prefix=f"a{version}") as one, Pushed("mqtt", within, TAGS, prefix=f"b{version}") as two:
        lines_published(guarded, "readings/PT-101", [reading(1.0, 1, t)], "-u", "collector", "-P", "right horse")
        one.until(lambda rows: rows, "the reading")
        two.until(lambda rows: rows, "the reading")

    assert refused({**beside, "password": "wrong horse"}).reason == "login"
    assert "right horse" not in str(refused({**beside, "password": "wrong horse"}))
    assert "password" in refused({**beside, "user": None, "password": None}).remedy
