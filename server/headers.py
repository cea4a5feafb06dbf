"""Security headers on every answer: a strict CSP with one nonce a request, no foreign host, no framing, no sniffing."""

from __future__ import annotations

import secrets

from flask import Flask, Response, g, request

from server.problems import is_machine_path, request_id

POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'nonce-{nonce}'",
        "style-src 'self' 'nonce-{nonce}'",
        "img-src 'self' data: blob:",
        "font-src 'self'",
        "connect-src 'self'",
        "worker-src 'self'",
        "media-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)


def csp_nonce() -> str:
    """The nonce of this request, for the import map and the few inline modules that need it."""
    if not hasattr(g, "csp_nonce"):
        g.csp_nonce = secrets.token_urlsafe(16)
    return str(g.csp_nonce)


def _apply(response: Response) -> Response:
    headers = response.headers
    headers["Content-Security-Policy"] = POLICY.format(nonce=csp_nonce())
    headers["X-Content-Type-Options"] = "nosniff"
    headers["X-Frame-Options"] = "DENY"
    headers["Referrer-Policy"] = "same-origin"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
    headers["Permissions-Policy"] = "camera=(self), microphone=(self), geolocation=(), payment=()"
    headers["X-Request-Id"] = request_id()
    if request.is_secure:
        headers["Strict-Transport-Security"] = "max-age=31536000"
    if "Cache-Control" not in headers and (is_machine_path() or response.mimetype == "text/html"):
        headers["Cache-Control"] = "private, no-store" if response.mimetype == "text/html" else "private, no-cache"
    return response


def register(app: Flask) -> None:
    """Put the headers on every answer and give templates `csp_nonce()`."""
    app.after_request(_apply)
    app.add_template_global(csp_nonce)
