"""The same app and plant as the tests of the API."""

from __future__ import annotations

from tests.server.api.conftest import app, bearer, client, device, plant, services

__all__ = ["app", "bearer", "client", "device", "plant", "services"]
