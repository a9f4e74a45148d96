"""What the options that every command shares came to: which authority, and where its passphrase is."""

from dataclasses import dataclass

DEFAULT_CA = "handfast-ca"


@dataclass(slots=True)
class Session:
    """One run of the program. Options after the command replace those before it."""

    ca: str | None = None
    passphrase_file: str | None = None

    @property
    def directory(self) -> str:
        """The authority's directory, as given, or the default one."""
        return self.ca or DEFAULT_CA
