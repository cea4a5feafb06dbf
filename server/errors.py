"""Errors of the maintenance system; api and ar_feed map them to problem+json 404, 403, 409 and 422."""

from __future__ import annotations

from realtime.errors import SightlineError


class NotFound(SightlineError):
    """The thing does not exist, or is not visible to the caller: the two look the same."""

    def __init__(self, what: str, key: object) -> None:
        super().__init__(f"{what} {key} not found")
        self.what = what
        self.key = key


class Forbidden(SightlineError):
    """Visible, but not permitted."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class Conflict(SightlineError):
    """The thing's state does not allow it; nothing was changed. `state` is what it is now."""

    def __init__(self, code: str, detail: str, state: str | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.state = state


class Invalid(SightlineError):
    """Well-formed but wrong: `field` names what, `code` why."""

    def __init__(self, field: str, code: str, detail: str) -> None:
        super().__init__(f"{field}: {detail}")
        self.field = field
        self.code = code
        self.detail = detail
