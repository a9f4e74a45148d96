"""Every exception class of handfast: every message says what happened, every hint what to do now."""

from datetime import timedelta

from handfast.findings import Finding


class HandfastError(Exception):
    """What went wrong, and what to do about it; the root of the tree. Knows nothing of HTTP or of exit statuses."""

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigError(HandfastError):
    """The operator's settings, files or arguments cannot work. Names which, and what would."""


class RequestError(HandfastError):
    """The peer's fault: the request cannot be granted as it stands."""


class Malformed(RequestError):
    """The bytes are not what they should be."""


class Unauthenticated(RequestError):
    """Who asks is not known, or did not prove it."""


class Denied(RequestError):
    """Who asks is known, and may not have this."""


class NotFound(RequestError):
    """What was asked for does not exist."""


class Conflict(RequestError):
    """What was asked for contradicts what is already so."""


class RateLimited(RequestError):
    """Too many requests; the same one may be granted after `retry_after`."""

    def __init__(self, message: str, *, hint: str, retry_after: timedelta) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class Unacceptable(RequestError):
    """A certificate, draft or path breaks rules. Carries all findings, not the first."""

    def __init__(self, message: str, *, hint: str, findings: tuple[Finding, ...]) -> None:
        super().__init__(message, hint=hint)
        self.findings = findings


class Refused(HandfastError):
    """Client side: a server refused us. `code` and the message are the server's own words."""

    def __init__(self, message: str, *, hint: str, code: str) -> None:
        super().__init__(message, hint=hint)
        self.code = code


class Unavailable(HandfastError):
    """A store, key or peer does not answer; it may after `retry_after`, when that is known."""

    def __init__(self, message: str, *, hint: str, retry_after: timedelta | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after
