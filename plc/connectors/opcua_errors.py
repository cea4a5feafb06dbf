"""What an OPC UA server's refusal means to the person who must mend it: reason, what happened, remedy. Pure."""

from __future__ import annotations

import struct
from collections.abc import Callable

from asyncua.crypto.uacrypto import InvalidSignature  # type: ignore[attr-defined]
from asyncua.ua import uaerrors
from asyncua.ua.uaerrors import UaError

from plc.connector import LinkError, LinkReason
from plc.connectors.opcua_security import OwnCertificate

Remedy = Callable[[OwnCertificate | None], str]

# what a call may end with: the network, the server's refusal, or an answer that cannot be read or whose signature is wrong
FAILED = (OSError, TimeoutError, UaError, InvalidSignature, ValueError, TypeError, struct.error)
TOO_MANY = (uaerrors.BadTooManyOperations, uaerrors.BadEncodingLimitsExceeded, uaerrors.BadRequestTooLarge)  # half of them may pass
TOO_LARGE = (uaerrors.BadResponseTooLarge, uaerrors.BadTcpMessageTooLarge)  # one of them is; which one is found by halving


def _trust(own: OwnCertificate | None) -> str:
    if own is None:
        return "trust our certificate on the server"
    return f"trust our certificate on the server: thumbprint {own.thumbprint}, file {own.path}"


def _our_end(own: OwnCertificate | None) -> str:
    until = f"ours is valid until {own.until:%Y-%m-%d} ({own.path}); " if own else ""
    return f"{until}check both clocks and the end dates of both certificates"


def _says(text: str) -> Remedy:
    return lambda _own: text


_OFFER = _says("set security and mode in the source to what the server offers, or enable it on the server")
_USER = _says("check user and password in the source and that this user may read on the server")
_TOKEN = _says("the server does not take this kind of login: set user and password in the source, or allow anonymous there")
_FULL = _says("close other clients or raise the server's session limit; a client that died holds its session until it times out")

REMEDIES: tuple[tuple[type[UaError], LinkReason, Remedy], ...] = (
    (uaerrors.BadSecurityModeRejected, "security", _OFFER),
    (uaerrors.BadSecurityPolicyRejected, "security", _OFFER),
    (uaerrors.BadSecurityModeInsufficient, "security", _OFFER),
    (uaerrors.BadUserAccessDenied, "login", _USER),
    (uaerrors.BadIdentityTokenRejected, "login", _TOKEN),
    (uaerrors.BadIdentityTokenInvalid, "login", _TOKEN),
    (uaerrors.BadUserSignatureInvalid, "login", _USER),
    (uaerrors.BadCertificateTimeInvalid, "certificate", _our_end),
    (uaerrors.BadCertificateIssuerTimeInvalid, "certificate", _our_end),
    (uaerrors.BadCertificateUntrusted, "certificate", _trust),
    (uaerrors.BadCertificateInvalid, "certificate", _trust),
    (uaerrors.BadCertificateUriInvalid, "certificate", _trust),
    (uaerrors.BadCertificateUseNotAllowed, "certificate", _trust),
    (uaerrors.BadCertificateHostNameInvalid, "certificate", _trust),
    (uaerrors.BadCertificateRevoked, "certificate", _trust),
    (uaerrors.BadCertificateChainIncomplete, "certificate", _trust),
    (uaerrors.BadSecurityChecksFailed, "certificate", _trust),
    (uaerrors.BadTooManySessions, "busy", _FULL),
    (uaerrors.BadMaxConnectionsReached, "busy", _FULL),
    (uaerrors.BadTcpServerTooBusy, "busy", _FULL),
    (uaerrors.BadTcpNotEnoughResources, "busy", _FULL),
    (uaerrors.BadTooManySubscriptions, "busy", _says("use fewer groups, or raise the server's limit of subscriptions")),
    (uaerrors.BadTcpEndpointUrlInvalid, "config", _says("check the path in the url of the source")),
    (uaerrors.BadServerHalted, "protocol", _says("start the server")),
)


def link_error(where: str, error: BaseException, timeout_s: float, own: OwnCertificate | None) -> LinkError:
    """The LinkError for what connecting or asking raised; `where` never holds a password."""
    if isinstance(error, LinkError):
        return error
    if isinstance(error, ConnectionRefusedError):
        return LinkError("refused", f"{where}: connection refused", "check that the OPC UA server runs on this port")
    for kind, reason, remedy in REMEDIES:
        if isinstance(error, kind):
            return LinkError(reason, f"{where}: {kind.__name__}", remedy(own))
    return _of_the_line(where, error, timeout_s, own)


def _of_the_line(where: str, error: BaseException, timeout_s: float, own: OwnCertificate | None) -> LinkError:
    """What no status code says."""
    name = type(error).__name__
    if isinstance(error, TimeoutError):
        return LinkError("timeout", f"{where}: no answer within {timeout_s:g} s", "check the network and whether the server hangs")
    if isinstance(error, ConnectionError):
        remedy = f"look at the server's own log; it may have to {_trust(own)}" if own else ""
        return LinkError("protocol", f"{where}: the server closed the connection ({error or name})", remedy)
    if isinstance(error, OSError):
        return LinkError("no_route", f"{where}: {error or name}", "check the address and the network")
    return LinkError("protocol", f"{where}: an answer that cannot be taken ({name}: {error})", "look at the server's own log")
