"""How a rendered configuration is laid out: blocks of lines with the comment that says why, indented alike."""

from collections.abc import Iterable


def block(comment: str, lines: Iterable[str], *, mark: str = "#", indent: str = "    ") -> str:
    """Comment lines, then settings, then an empty line; an empty comment gives none."""
    said = [f"{indent}{mark} {line}" for line in comment.strip().splitlines()] if comment else []
    return "\n".join([*said, *(f"{indent}{line}" if line else "" for line in lines)]) + "\n\n"


def heading(title: str, *, mark: str = "#") -> str:
    """The first lines of every file."""
    return (
        f"{mark} {title}\n"
        f"{mark} Written by handfast. Certificates and CRLs are read when the program starts and when it reloads.\n\n"
    )
