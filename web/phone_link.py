"""The address at which a phone in the same network reaches this server, and its QR code as inline SVG."""

from __future__ import annotations

import socket
from urllib.parse import quote, urlsplit

import segno
from markupsafe import Markup

LOOPBACK = {"127.0.0.1", "localhost", "::1", "[::1]"}


def lan_address() -> str | None:
    """This machine's address in its network; no packet is sent. None without a network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1: asks the routing table, reaches nobody
        except OSError:
            return None
        return str(probe.getsockname()[0])


def phone_url(page_url: str, *, lan: bool) -> str | None:
    """Where a phone should go, from the address the manager's browser used; None while we only listen on loopback."""
    parts = urlsplit(page_url)
    if parts.hostname not in LOOPBACK:
        return f"{parts.scheme}://{parts.netloc}/mine"
    address = lan_address() if lan else None
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{address}{port}/mine" if address else None


def page_address(page_url: str, path: str, *, lan: bool) -> str:
    """Address of a page for a QR label: as a phone reaches it, else as this browser does."""
    reachable = phone_url(page_url, lan=lan)
    return (reachable.removesuffix("/mine") if reachable else page_url.rstrip("/")) + quote(path)


def qr_svg(url: str) -> Markup:
    """Black on white whatever the theme: scanners need it."""
    code = segno.make(url, error="m", micro=False)
    # segno writes the SVG itself from the modules; nothing of the address appears in it as text
    return Markup(code.svg_inline(border=3, omitsize=True, light="#fff", svgclass="qr", lineclass=None))  # noqa: S704
