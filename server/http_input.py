"""What a request may bring: strict JSON bodies, bounded sizes, no U+0000 in the path or query.

It decides nothing about rights (server.auth.guard) and nothing about fields (the schemas of server.api).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, Request, current_app, request
from werkzeug.routing import IntegerConverter

from server.problems import Problem, bad_request
from server.strict_json import loads

View = TypeVar("View", bound=Callable[..., Any])
MAX_BODY = 1024 * 1024  # DESIGN.md 4; routes with other limits set request.max_content_length themselves


def takes_up_to(longest: int) -> Callable[[View], View]:
    """Mark a view that takes larger bodies (uploads), before anything reads the form; the outermost mark but the route."""

    def mark(view: View) -> View:
        view.__dict__["sightline_max_body"] = longest
        return view

    return mark


class StrictRequest(Request):
    """A request whose `get_json` refuses what browsers and Python readers disagree on."""

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any:
        """The JSON body; Problem 415 unless application/json (or +json), 400 when it cannot be read. Never silent."""
        del silent
        if not (force or self.is_json):
            raise Problem(415, "unsupported_media_type", "send the body as application/json")
        return loads(self.get_data(cache=cache))


class IdConverter(IntegerConverter):
    """A database identity in a path; larger numbers are 404 and never reach the database."""

    regex = r"[0-9]{1,10}"

    def __init__(self, map_: Any) -> None:
        super().__init__(map_, min=1, max=2**31 - 1)


def _refuse_nul() -> None:
    if "\0" in request.path or any("\0" in part for pair in request.args.items(multi=True) for part in pair):
        raise bad_request("nul", "path and query must not hold the character U+0000")


def _bound_body() -> None:
    view = current_app.view_functions.get(request.endpoint or "")
    longest = getattr(view, "sightline_max_body", None)
    if longest is not None:
        request.max_content_length = longest


def register(app: Flask) -> None:
    """Install the request class, the limits, the `id` converter and the check of path and query."""
    app.request_class = StrictRequest
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.url_map.converters["id"] = IdConverter
    app.before_request(_bound_body)
    app.before_request(_refuse_nul)
