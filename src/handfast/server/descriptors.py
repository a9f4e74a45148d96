"""File descriptors: as many as the connections need, where the system lets a process have them (setrlimit(2))."""

from contextlib import suppress

# The store, its journal, the listeners and what the interpreter has open.
_BESIDE = 200


def make_room_for(connections: int) -> None:
    """Raise the soft limit, 1024 in most shells, as far as needed and allowed. Where there is none, nothing is done."""
    try:
        import resource
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _BESIDE
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        # Some systems have a lower bound than the one they tell.
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
