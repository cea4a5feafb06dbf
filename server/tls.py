"""HTTPS of the web process itself: the certificate that TLS_CERT and TLS_KEY name. A proxy in front may do it instead (PROXY_HOPS)."""

from __future__ import annotations

import ssl

from realtime.errors import SettingsError
from realtime.settings import Settings


def context(settings: Settings) -> ssl.SSLContext | None:
    """What connections are wrapped with; None = plain HTTP. Raises SettingsError where certificate and key do not work together."""
    if settings.tls_cert is None and settings.tls_key is None:
        return None
    for key, path in (("TLS_CERT", settings.tls_cert), ("TLS_KEY", settings.tls_key)):
        if path is None:
            raise SettingsError(key, "is missing; HTTPS needs TLS_CERT and TLS_KEY")
        if not path.is_file():
            raise SettingsError(key, f"there is no file {path}")
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.set_alpn_protocols(["http/1.1"])
    try:
        made.load_cert_chain(str(settings.tls_cert), str(settings.tls_key))
    except (ssl.SSLError, OSError) as error:
        raise SettingsError("TLS_CERT", f"{settings.tls_cert} and {settings.tls_key} do not work together: {error}") from error
    return made
