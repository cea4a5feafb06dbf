"""What every resource of the API is made of: a blueprint that reads bodies strictly, and the common schemas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import marshmallow as ma
from flask import Request
from flask_smorest import Blueprint
from webargs.flaskparser import FlaskParser

MAX_PAGE = 500
View = Callable[..., Any]
Decorator = Callable[[View], View]


class _StrictParser(FlaskParser):
    """Reads the body by the app's own request class: 415 and 400 are judged there."""

    def load_json(self, req: Request, schema: ma.Schema) -> Any:
        """The JSON body."""
        del schema
        return req.get_json()


class Resource(Blueprint):  # type: ignore[misc]
    """A blueprint under /api."""

    ARGUMENTS_PARSER = _StrictParser()

    def route(self, rule: str, **options: Any) -> Decorator:
        """As flask-smorest's, typed."""
        return cast("Decorator", super().route(rule, **options))

    def arguments(self, schema: type[ma.Schema] | ma.Schema, **options: Any) -> Decorator:
        """As flask-smorest's, typed."""
        return cast("Decorator", super().arguments(schema, **options))

    def doc(self, **documented: Any) -> Decorator:
        """As flask-smorest's, typed."""
        return cast("Decorator", super().doc(**documented))

    def response(self, status_code: int, schema: type[ma.Schema] | ma.Schema | None = None, **options: Any) -> Decorator:
        """As flask-smorest's, typed; views return a Response, so the schema is for the document."""
        return cast("Decorator", super().response(status_code, schema, **options))

    def alt_response(self, status_code: int, schema: type[ma.Schema] | ma.Schema | None = None, **options: Any) -> Decorator:
        """As flask-smorest's, typed: another answer of the same view."""
        return cast("Decorator", super().alt_response(status_code, schema=schema, **options))


def resource(name: str, description: str) -> Resource:
    """The blueprint of one resource; `name` is its tag in the document."""
    return Resource(name, __name__, url_prefix="/api", description=description)


class Number(ma.fields.Float):
    """A finite number; true is not 1 and "5" is not 5."""

    def _validated(self, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.make_error("invalid", input=value)
        return float(super()._validated(value))


class Whole(ma.fields.Integer):
    """A whole number that PostgreSQL's bigint holds; not "5", not 5.0, not true."""

    def __init__(self, *, low: int = 0, high: int = 2**53, **kwargs: Any) -> None:
        super().__init__(strict=True, validate=ma.validate.Range(low, high), **kwargs)

    def _validated(self, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.make_error("invalid", input=value)
        return int(super()._validated(value))


def text(longest: int = 200, *, shortest: int = 1, **kwargs: Any) -> ma.fields.String:
    """A text field with bounds."""
    return ma.fields.String(validate=ma.validate.Length(shortest, longest), **kwargs)


class Page(ma.Schema):
    """Query of a collection."""

    limit = ma.fields.Integer(load_default=50, validate=ma.validate.Range(1, MAX_PAGE), metadata={"description": "rows in the answer"})
    offset = ma.fields.Integer(load_default=0, validate=ma.validate.Range(0, 1_000_000), metadata={"description": "rows to skip"})
    sort = ma.fields.String(
        load_default="",
        validate=ma.validate.Length(max=200),
        metadata={"description": "columns separated by commas, `-` in front for descending"},
    )


def collection(items: list[Any], total: int, page: dict[str, Any]) -> dict[str, Any]:
    """A collection's answer."""
    return {"items": items, "total": total, "limit": page["limit"], "offset": page["offset"]}
