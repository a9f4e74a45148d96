"""Exit statuses: the one table from errors to what a script sees."""

import errno
from collections.abc import Mapping

from handfast.errors import (
    ConfigError,
    Conflict,
    Denied,
    HandfastError,
    Malformed,
    NotFound,
    RateLimited,
    Refused,
    RequestError,
    Unacceptable,
    Unauthenticated,
    Unavailable,
)

DONE = 0
REFUSED = 1
USAGE = 2
UNAVAILABLE = 3
FAILED = 70  # EX_SOFTWARE: a bug of handfast, which no script should take for an answer
INTERRUPTED = 130  # 128 + SIGINT and 128 + SIGPIPE: what a shell makes of other programs
PIPE_CLOSED = 141

STATUS: Mapping[type[HandfastError], int] = {
    HandfastError: REFUSED,
    ConfigError: USAGE,
    RequestError: REFUSED,
    Malformed: REFUSED,
    Unauthenticated: REFUSED,
    Denied: REFUSED,
    NotFound: REFUSED,
    Conflict: REFUSED,
    RateLimited: UNAVAILABLE,
    Unacceptable: REFUSED,
    Refused: REFUSED,
    Unavailable: UNAVAILABLE,
}

MEANINGS: Mapping[int, str] = {
    DONE: "done, and nothing to object to",
    REFUSED: "findings, or refused: the input, the name or the certificate is not acceptable, or not there",
    USAGE: "usage: an option, a setting or a file cannot work as given",
    UNAVAILABLE: "unavailable: the store, a key, the disk or another machine does not answer; later it may",
    FAILED: "a bug in handfast",
    INTERRUPTED: "interrupted by Ctrl-C; what was begun is safe, and the next command just works",
    PIPE_CLOSED: "whoever read the output stopped reading, as `| head` does",
}

_MACHINE_AT_FAULT = {errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EMFILE, errno.ENFILE}


def status_of(error: HandfastError) -> int:
    """The exit status for an error."""
    return STATUS[type(error)]


def status_of_os_error(error: OSError) -> int:
    """A path that cannot be used is a wrong argument; a full or broken disk is not the caller's fault."""
    return UNAVAILABLE if error.errno in _MACHINE_AT_FAULT else USAGE
