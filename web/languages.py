"""Which language a page speaks, and the catalogue its JavaScript reads; English is written in the templates themselves."""

from __future__ import annotations

from typing import cast

from flask import Flask, Response, current_app, jsonify, request
from flask_babel import Babel, get_locale, get_translations

RIGHT_TO_LEFT = {"ar", "he", "fa"}


def _choose() -> str:
    offered = cast("list[str]", current_app.config["LANGUAGES"])
    return request.accept_languages.best_match(offered) or "en"


def locale() -> str:
    """Language of this request: "en", "fr", "ar"."""
    return str(get_locale().language)


def direction() -> str:
    """Writing direction of this request."""
    return "rtl" if locale() in RIGHT_TO_LEFT else "ltr"


def catalogue(language: str) -> Response:
    """The texts of JavaScript in a language, from the same .po as the templates; {} for English."""
    texts = getattr(get_translations(), "_catalog", {}) if language != "en" else {}
    body = {key: text for key, text in texts.items() if isinstance(key, str) and key}
    return jsonify(body)


def register(app: Flask) -> Babel:
    """Set Babel up; `LANGUAGES` are those with a compiled catalogue below web/translations, and English."""
    app.config.setdefault("BABEL_TRANSLATION_DIRECTORIES", "web/translations")
    babel = Babel(app, locale_selector=_choose)
    with app.app_context():
        found = {str(known.language) for known in babel.list_translations()}
    app.config["LANGUAGES"] = sorted(found | {"en"})
    app.add_url_rule("/words/<language>.json", "words", catalogue)
    return babel
