"""Shapes that several resources share, for the document; the bodies themselves are made in server/bodies.py."""

from __future__ import annotations

import marshmallow as ma


class ProblemBody(ma.Schema):
    """RFC 9457, with our machine-readable `code`."""

    type = ma.fields.String()
    title = ma.fields.String()
    status = ma.fields.Integer()
    code = ma.fields.String()
    detail = ma.fields.String()
    errors = ma.fields.List(ma.fields.Dict())
    request_id = ma.fields.String()


class Body(ma.Schema):
    """A body whose keys docs/api.md lists; the same as in the facts."""

    class Meta:
        """Additive: clients ignore keys they do not know."""

        unknown = ma.INCLUDE


class Collection(ma.Schema):
    """A page of a collection."""

    items = ma.fields.List(ma.fields.Nested(Body))
    total = ma.fields.Integer()
    limit = ma.fields.Integer()
    offset = ma.fields.Integer()
