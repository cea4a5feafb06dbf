"""Shapes that several resources share, for the document; the bodies themselves are made in server/bodies.py."""

from __future__ import annotations

import marshmallow as ma


class FieldError(ma.Schema):
    """One wrong value of a request."""

    field = ma.fields.String(required=True)
    code = ma.fields.String(required=True)
    detail = ma.fields.String(required=True)


class ProblemBody(ma.Schema):
    """RFC 9457, with our machine-readable `code`."""

    class Meta:
        """Additive: clients ignore keys they do not know."""

        unknown = ma.INCLUDE

    type = ma.fields.String(required=True)
    title = ma.fields.String(required=True)
    status = ma.fields.Integer(required=True)
    code = ma.fields.String(required=True)
    detail = ma.fields.String(required=True)
    errors = ma.fields.List(ma.fields.Nested(FieldError))
    request_id = ma.fields.String(required=True)


class Body(ma.Schema):
    """A body whose keys docs/api.md lists; the same as in the facts."""

    class Meta:
        """Additive: clients ignore keys they do not know."""

        unknown = ma.INCLUDE


class Collection(ma.Schema):
    """A page of a collection."""

    class Meta:
        """Additive: clients ignore keys they do not know."""

        unknown = ma.INCLUDE

    items = ma.fields.List(ma.fields.Nested(Body))
    total = ma.fields.Integer()
    limit = ma.fields.Integer()
    offset = ma.fields.Integer()
