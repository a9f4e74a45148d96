"""What the options that every command shares came to: which authority, here or at a service, and how it is opened."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from handfast.errors import ConfigError

DEFAULT_CA = "handfast-ca"
AT_THE_DIRECTORY = "run it where the directory is, without --server and HANDFAST_SERVER, or name it with --ca"
# Listed in reverse, as decorators are.
SERVICE_OPTIONS: Mapping[str, tuple[str, str]] = {
    "secret_file": ("FILE", "The requester's secret, instead of a certificate."),
    "client_key": ("FILE", "Its key [in the same file, or key.pem beside it]."),
    "client_certificate": ("FILE", "Who asks: a certificate and its chain, or a folder of `handfast issue`."),
    "server_ca": ("FILE", "The root that the service is trusted by [ca.pem beside the client certificate]."),
    "server": ("URL", "Ask a service, instead of a directory; see handfast --help."),
}


@dataclass(slots=True)
class Session:
    """One run of the program. Options after the command replace those before it.

    server, server_ca, client_certificate, client_key, secret_file: a service, whom it is trusted by, and who asks.
    typed: which of them somebody typed for this run; the others come from the environment. instead: what a command says
    to do that needs the directory, and was to ask a service.
    """

    ca: str | None = None
    passphrase_file: str | None = None
    server: str | None = None
    server_ca: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None
    secret_file: str | None = None
    typed: set[str] = field(default_factory=set)
    instead: str = field(default=AT_THE_DIRECTORY, init=False)

    @property
    def is_remote(self) -> bool:
        """True when a service is meant: what was typed goes before what the environment says."""
        if self.server is None:
            return False
        if {"ca", "server"} <= self.typed:
            raise ConfigError("--ca and --server contradict each other", hint="give the directory, or the service")
        return "server" in self.typed or "ca" not in self.typed

    @property
    def directory(self) -> str:
        """The authority's directory, as given, or the default one. Raises ConfigError when a service is meant."""
        if self.is_remote:
            raise self.refusal(self.server)
        return self.ca or DEFAULT_CA

    def refusal(self, server: str | None) -> ConfigError:
        """That this command cannot ask a service."""
        message = f"this works on the directory of an authority, and not over the network with {server}"
        return ConfigError(message, hint=self.instead)
