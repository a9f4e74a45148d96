"""A network of one's own (network_namespaces(7)), for programs that make interfaces or listen on fixed ports."""

import os
import shlex
from collections.abc import Sequence


def unshared(command: Sequence[str]) -> tuple[str, ...]:
    """The command in a new network that has only loopback; as an ordinary user, in a user namespace as well."""
    own = ("--net",) if os.geteuid() == 0 else ("--user", "--map-root-user", "--net")
    script = f"ip link set lo up && exec {shlex.join(command)}"
    return ("unshare", *own, "sh", "-c", script)


def joined(pid: int, command: Sequence[str]) -> tuple[str, ...]:
    """The command in the network of that process."""
    own = ("--net",) if os.geteuid() == 0 else ("--user", "--preserve-credentials", "--net")
    return ("nsenter", f"--target={pid}", *own, "--", *command)


def contained(command: Sequence[str]) -> tuple[str, ...]:
    """The command in a process tree of its own (pid_namespaces(7)): what it leaves in the background ends with it."""
    own = () if os.geteuid() == 0 else ("--user", "--map-root-user")
    return ("unshare", *own, "--pid", "--fork", "--kill-child", "--", *command)
