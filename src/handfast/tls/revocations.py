"""Revocation, decided by us for each connection: a look into sets, made once per CRL (RFC 5280 section 5)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from handfast.errors import Malformed, Unacceptable
from handfast.findings import Finding, Severity
from handfast.pki import pem

CODES = {
    "crl-unusable": "a CRL is not signed by a CA of the clients, or does not say when it ends",
}


@dataclass(frozen=True, slots=True)
class IssuerList:
    """One CA's CRL, its signature verified. next_update: aware UTC; after it the list says nothing any more.

    is_dead: the CA itself was revoked, by the one above.
    """

    issuer: x509.Name
    serials: frozenset[int]
    next_update: datetime
    is_dead: bool = False


@dataclass(frozen=True, slots=True)
class Revocations:
    """The CRLs of every CA that clients come from, by the issuer's name in DER."""

    lists: Mapping[bytes, IssuerList]

    def reason_against(self, certificate: x509.Certificate, now: datetime) -> str | None:
        """Why this certificate is not to be let in, or None. Fails closed: no list, or one that ended, refuses.

        Asks about validity too, since a resumed session would not have been.
        """
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            return "certificate expired" if now > certificate.not_valid_after_utc else "certificate not yet valid"
        listed = self.lists.get(certificate.issuer.public_bytes())
        if listed is None:
            return "no CRL of its issuer"
        if now > listed.next_update:
            return "the CRL of its issuer has ended"
        revoked = listed.is_dead or certificate.serial_number in listed.serials
        return "certificate revoked" if revoked else None


def load_revocations(crls: str, cas: Sequence[x509.Certificate]) -> Revocations:
    """The lists in a PEM text, each signed by one of the CAs.

    Raises Malformed for what cannot be read, Unacceptable for a list that no CA signed.
    """
    found = pem.read(crls.encode(), source="the CRLs").crls
    if not found:
        raise Malformed("the CRLs: there is none", hint="publish the CRLs again: handfast crl")
    lists = {crl.issuer.public_bytes(): _listed(crl, cas) for crl in found}
    for ca in cas:
        above = lists.get(ca.issuer.public_bytes())
        own = lists.get(ca.subject.public_bytes())
        if above and own and ca.serial_number in above.serials:
            lists[ca.subject.public_bytes()] = replace(own, is_dead=True)
    return Revocations(lists)


def _listed(crl: x509.CertificateRevocationList, cas: Sequence[x509.Certificate]) -> IssuerList:
    signed = any(crl.issuer == ca.subject and _verifies(crl, ca) for ca in cas)
    if not signed or crl.next_update_utc is None:
        message = f"the CRL of {crl.issuer.rfc4514_string()} is not signed by a CA of the clients"
        if signed:
            message = f"the CRL of {crl.issuer.rfc4514_string()} does not say when the next one comes"
        fix = "publish the CRLs again: handfast crl"
        finding = Finding("crl-unusable", Severity.ERROR, message, fix, "RFC 5280 section 6.3.3")
        raise Unacceptable(message, hint=fix, findings=(finding,))
    return IssuerList(crl.issuer, frozenset(entry.serial_number for entry in crl), crl.next_update_utc)


def _verifies(crl: x509.CertificateRevocationList, ca: x509.Certificate) -> bool:
    try:
        return crl.is_signature_valid(ca.public_key())  # type: ignore[arg-type]  # keys that cannot sign raise TypeError
    except (InvalidSignature, UnsupportedAlgorithm, TypeError, ValueError):
        return False
