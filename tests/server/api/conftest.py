"""One app, one database and a few people for the tests of the API; the app runs unpatched under Flask's test client."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from flask import Flask
from flask.testing import FlaskClient

from realtime import snapshot
from realtime.settings import Settings
from realtime.snapshot import Snapshot
from server.auth import device_tokens
from server.auth.passwords import hash_password
from server.database import Database
from server.models.feed import DeviceToken
from server.models.people import User
from server.models.plant import Area, Asset, Site, Source, Tag
from server.services import Services
from tests.web_app import web_app

PASSWORD = "a long enough secret"
_HASH = hash_password(PASSWORD)


@dataclass(frozen=True)
class Plant:
    """A small plant of its own: numbers of people, the site, an asset with two tags."""

    site: int
    other_site: int
    people: dict[str, str]  # role -> employee number
    asset: str
    asset_id: int
    tag: str
    tag_id: int
    other_tag: str


@pytest.fixture
def app(settings: Settings, module_pool: Database) -> Iterator[Flask]:
    """The whole web application on this module's database and this test's bus."""
    yield from web_app(settings, module_pool)


@pytest.fixture
def services(app: Flask) -> Services:
    """What the app works with."""
    found: Services = app.extensions["sightline"]
    return found


def _live(tag: Tag, asset: Asset, source: str | None) -> snapshot.Tag:
    return snapshot.Tag(id=tag.id, name=tag.name, asset=asset.id, shard=asset.id % 8, unit=tag.unit, source=source)


@pytest.fixture
def plant(services: Services) -> Plant:
    """Two sites; a person of every role in the first; one asset and two tags, published as the plant snapshot."""
    mark = secrets.token_hex(3)
    with services.database.transaction() as session:
        site, other = (Site(code=f"S{mark}{n}", name="A site", time_zone="Europe/Paris") for n in "12")
        session.add_all([site, other])
        session.flush()
        area = Area(site_id=site.id, name="Utilities")
        far = Area(site_id=other.id, name="Elsewhere")
        source = Source(site_id=site.id, name=f"src-{mark}", kind="mqtt", config={"topics": ["readings/#"]})
        session.add_all([area, far, source])
        session.flush()
        asset = Asset(site_id=site.id, area_id=area.id, code=f"A{mark}", name="A pump", operating="running")
        hidden = Asset(site_id=other.id, area_id=far.id, code=f"B{mark}", name="A far pump")
        session.add_all([asset, hidden])
        session.flush()
        tag = Tag(asset_id=asset.id, source_id=source.id, name=f"{asset.code}.pressure", unit="bar", low=1.0, high=9.0)
        foreign = Tag(asset_id=hidden.id, name=f"{hidden.code}.pressure", unit="bar")
        session.add_all([tag, foreign])
        people: dict[str, str] = {}
        for role in ("admin", "manager", "planner", "storekeeper", "technician", "operator", "viewer"):
            people[role] = f"{role[:4]}-{mark}"
            session.add(
                User(employee_number=people[role], name=role.title(), role=role, site_id=site.id, password_hash=_HASH, area_id=area.id)
            )
        session.flush()
        made = Plant(site.id, other.id, people, asset.code, asset.id, tag.name, tag.id, foreign.name)
        published = Snapshot(
            version=1,
            sources=[snapshot.Source(id=source.id, name=source.name, kind="mqtt")],
            tags=[_live(tag, asset, source.name), _live(foreign, hidden, None)],
            assets=[snapshot.Asset(id=a.id, code=a.code, name=a.name, site=a.site_id) for a in (asset, hidden)],
        )
    services.bus.publish_config(published)
    return made


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """An anonymous client."""
    return app.test_client()


LogIn = Callable[[str], dict[str, str]]


@pytest.fixture
def bearer(client: FlaskClient, plant: Plant) -> LogIn:
    """Headers of a person of the given role, by a real login."""

    def log_in(role: str) -> dict[str, str]:
        answer = client.post("/api/auth/login", json={"employee_number": plant.people[role], "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {answer.json['access_token']}"}

    return log_in


@pytest.fixture
def device(services: Services, plant: Plant) -> Callable[[str], dict[str, str]]:
    """Headers of an ingest or paired token."""

    def issue(kind: str) -> dict[str, str]:
        secret = device_tokens.new_secret()
        with services.database.transaction() as session:
            user = session.query(User).filter_by(employee_number=plant.people["technician"]).one()
            session.add(
                DeviceToken(
                    token_hash=device_tokens.digest(secret),
                    kind=kind,
                    name=f"a {kind} device",
                    user_id=None if kind == "ingest" else user.id,
                    site_id=plant.site,
                    created_at=datetime.now(UTC),
                )
            )
        return {"Authorization": f"Bearer {secret}"}

    return issue
