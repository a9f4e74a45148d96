"""Issuer: a CA certificate, its private key and its publication URLs."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from handfast.ca.records import Role
from handfast.errors import Denied
from handfast.pki.issuer_identity import IssuerIdentity
from handfast.pki.keys import PrivateKey


@dataclass(frozen=True, eq=False, kw_only=True)
class Issuer:
    """One CA of an authority.

    chain: the certificates above it, its own issuer first and the root last; empty for a root.
    crosses: the root's cross certificates that are valid, the newest first.
    unlock: gives the private key, asking for a passphrase the first time; raises ConfigError when it is not there.
    """

    name: str
    role: Role
    identity: IssuerIdentity
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    unlock: Callable[[], PrivateKey]
    crosses: tuple[x509.Certificate, ...] = ()

    @property
    def der(self) -> bytes:
        """Its certificate in DER."""
        return self.certificate.public_bytes(Encoding.DER)

    @cached_property
    def presented_chain(self) -> tuple[x509.Certificate, ...]:
        """What the holder of a certificate sends after it: this CA and those above it, without the root.

        While the root takes another one's place, its cross certificate is the last: whoever trusts either is content.
        """
        return presented((self.certificate, *self.chain), self.crosses)

    @property
    def anchor(self) -> x509.Certificate:
        """The certificate at the top: what relying parties trust."""
        return (self.certificate, *self.chain)[-1]


def presented(
    path: tuple[x509.Certificate, ...], crosses: tuple[x509.Certificate, ...]
) -> tuple[x509.Certificate, ...]:
    """Of a CA's path what is sent, and the root's newest cross certificate: with a second one it were no chain."""
    return (*(one for one in path if one.subject != one.issuer), *crosses[:1])


def require_no_root(issuer: Issuer) -> None:
    """A root that has CAs below it signs for nobody else, unless somebody at its machine says so. Raises Denied."""
    if issuer.role is Role.ROOT:
        msg = f"{issuer.name} is a root, and signs only CAs"
        raise Denied(msg, hint="leave the issuer out, or name one that issues")
