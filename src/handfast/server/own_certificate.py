"""The service's own certificate: from its own authority, kept with its key, and renewed before anybody notices."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from handfast.ca.authority import Authority
from handfast.ca.order import Order
from handfast.ca.policy import Grant, Requester
from handfast.ca.records import State
from handfast.errors import HandfastError, NotFound
from handfast.keys.file import FileKeys, open_keys
from handfast.keys.files import PUBLIC, write_atomically
from handfast.keys.generate import generate_key
from handfast.keys.passphrase import PassphraseSource
from handfast.pki import pem
from handfast.pki.keys import KeyKind, PrivateKey
from handfast.pki.names import Name, NameKind, from_general_names
from handfast.pki.subject import parse_subject
from handfast.server.service import Service
from handfast.tls.context import Identity

FOLDER = "server"
PROFILE = "server"
# The service asks by itself, for itself: nothing else is allowed to it.
ITSELF = Requester("service", frozenset({Grant.ISSUE}), frozenset({PROFILE}), is_local=True)
_NAME = re.compile(r"service-\d{8}t\d{12}")


@dataclass(frozen=True, slots=True)
class Held:
    """A certificate that the service has, leaf first, and its key."""

    chain: tuple[x509.Certificate, ...]
    key: PrivateKey

    @property
    def leaf(self) -> x509.Certificate:
        """Its own."""
        return self.chain[0]

    def identity(self) -> Identity:
        """For a TLS context."""
        key = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")
        return Identity("".join(map(pem.to_pem, self.chain)), key)

    def is_due(self, now: datetime) -> bool:
        """True when a third of its life or less is left."""
        begun, ended = self.leaf.not_valid_before_utc, self.leaf.not_valid_after_utc
        return now >= ended - (ended - begun) / 3


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnCertificate:
    """Where the certificates of one service are. names: what clients call it; keys: for the key store's files."""

    keys: FileKeys
    names: tuple[Name, ...]
    authority: Callable[[], Authority]

    def current(self) -> Held:
        """The newest one that serves; a new one when there is none. Raises what issuing raises."""
        held = self._newest()
        return held if held is not None and self._serves(held) else self.renewed()

    def renewed(self) -> Held:
        """A new certificate for a new key, kept beside the last one until the next is there."""
        authority = self.authority()
        name = f"service-{authority.clock():%Y%m%dt%H%M%S%f}"
        before = self._kept()
        key = generate_key(KeyKind.P256)
        self.keys.save(name, key)
        issued = authority.issue(
            Order(
                profile=PROFILE,
                public_key=key.public_key(),
                subject=parse_subject(f"CN={self._label()}"),
                names=self.names,
                requester=ITSELF,
            )
        )
        held = Held((issued.certificate, *issued.chain), key)
        write_atomically(self._chain(name), "".join(map(pem.to_pem, held.chain)), mode=PUBLIC)
        for old in before[:-1]:
            self._chain(old).unlink(missing_ok=True)
            self.keys.directory.joinpath(f"{old}.key").unlink(missing_ok=True)
        return held

    def _newest(self) -> Held | None:
        for name in reversed(self._kept()):
            if self._chain(name).exists():
                try:
                    return Held(pem.certificates(self._chain(name).read_bytes(), name), self.keys.load(name))
                except HandfastError:
                    # Damaged, or under another passphrase: a new one costs nothing.
                    return None
        return None

    def _serves(self, held: Held) -> bool:
        """True when it is not due, has our names, is of the issuer of today and was not revoked."""
        authority = self.authority()
        now = authority.clock()
        if held.is_due(now) or held.leaf.issuer != authority.issuer().certificate.subject:
            return False
        try:
            found = held.leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            record = authority.find_certificate(held.leaf)
        except (x509.ExtensionNotFound, NotFound):
            return False
        return record.state(now) is State.VALID and set(from_general_names(found)) == set(self.names)

    def _label(self) -> str:
        first = next((name.value for name in self.names if name.kind is NameKind.DNS), self.names[0].value)
        return first.removeprefix("*.")

    def _kept(self) -> list[str]:
        return [name for name in self.keys.names() if _NAME.fullmatch(name)]

    def _chain(self, name: str) -> Path:
        return self.keys.directory / f"{name}.pem"


def own_certificate(service: Service, names: tuple[Name, ...], passphrase: PassphraseSource) -> OwnCertificate:
    """The one of this service. Its key is encrypted when, and as, the key of the issuing CA is."""

    def as_issuer(_name: str) -> bytes | None:
        name = service.authority.issuer().name
        return passphrase(name) if service.parts.keys.is_encrypted(name) else None

    keys = open_keys(str(service.parts.directory / FOLDER), as_issuer)
    return OwnCertificate(keys=keys, names=names, authority=lambda: service.authority)
