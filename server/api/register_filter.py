"""The query by which assets are searched and filtered, the same on every list of them (S2-89)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import marshmallow as ma

from server.api.blueprint import Page
from server.api.values import criticality
from server.store.register import Wanted


class RegisterFilter(Page):
    """Which assets."""

    search = ma.fields.String(load_default=None, validate=ma.validate.Length(max=100), metadata={"description": "words, each anywhere"})
    area = ma.fields.String(load_default=None, metadata={"description": "an area's name"})
    class_ = ma.fields.String(load_default=None, data_key="class", metadata={"description": "a class's name"})
    criticality = criticality(load_default=None)
    parent = ma.fields.String(load_default=None, metadata={"description": "code of what they are part of; empty = top assets"})
    warranty = ma.fields.String(load_default=None, validate=ma.validate.OneOf(["active", "soon", "ended", "none"]))


def wanted_of(query: Mapping[str, Any], site: int | None) -> Wanted:
    """The query as the store takes it."""
    names = ("search", "area", "class_", "criticality", "parent", "warranty")
    return Wanted(site=site, **{name: query[name] for name in names})
