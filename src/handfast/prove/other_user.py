"""Programs that refuse to run as root, and what they need to run as another user."""

import os
import pwd
import shutil
from pathlib import Path

# To pass through directories that are closed to others, as temporary ones are; it does not allow to write there.
_THROUGH = "+dac_read_search"


def as_user(name: str) -> tuple[str, ...]:
    """What comes before a command so that it runs as this user, who must exist; nothing when we are not root."""
    if os.geteuid() != 0:
        return ()
    group = pwd.getpwnam(name).pw_gid
    who = (f"--reuid={name}", f"--regid={group}", "--clear-groups")
    return ("setpriv", *who, f"--inh-caps={_THROUGH}", f"--ambient-caps={_THROUGH}")


def name_of_user(name: str) -> str:
    """Who the command runs as: this user, or ourselves when we are not root."""
    return name if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name


def give(directory: Path, name: str) -> None:
    """Make a directory and all that is in it belong to this user, when we are root."""
    if os.geteuid() == 0:
        for path in (directory, *directory.rglob("*")):
            shutil.chown(path, name)
