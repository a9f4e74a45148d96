"""Judges a server's own certificate before it is configured: the key, the purpose, the names, the dates, the order."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from handfast.errors import Malformed, Unacceptable
from handfast.findings import Finding, Severity
from handfast.pki import pem
from handfast.pki.keys import PrivateKey
from handfast.pki.names import Name, NameKind, from_general_names, parse_name
from handfast.pki.oids import SERVER_AUTH

CODES = {
    "client-ca-is-no-ca": "what clients are said to come from is no CA's certificate",
}

_AGAIN = "issue one: handfast issue NAME"


def require_fit(chain: Sequence[x509.Certificate], key: PrivateKey, names: Sequence[str], now: datetime) -> None:
    """Refuse what no client would accept. Raises Unacceptable with everything that is wrong.

    chain: leaf first. names: what clients will call the server. now: aware.
    """
    leaf = chain[0]
    findings = (
        *_key_problems(leaf, key),
        *_purpose_problems(leaf),
        *_name_problems(leaf, names),
        *_date_problems(leaf, now),
        *_order_problems(chain),
    )
    if findings:
        raise Unacceptable(
            f"the server's certificate cannot be used: {findings[0].message}", hint=findings[0].fix, findings=findings
        )


def require_cas(certificates: Sequence[x509.Certificate], source: str) -> None:
    """Refuse a client CA file with a certificate that is no CA. Raises Unacceptable."""
    wrong = [one for one in certificates if not is_ca(one)]
    if wrong:
        message = f"{source}: {wrong[0].subject.rfc4514_string()} is no CA"
        fix = "give the root certificate of the CA that the clients' certificates come from"
        finding = Finding("client-ca-is-no-ca", Severity.ERROR, message, fix, "RFC 5280 section 4.2.1.9")
        raise Unacceptable(message, hint=fix, findings=(finding,))


def is_ca(certificate: x509.Certificate) -> bool:
    """Whether it may sign certificates."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return False


def read_roots(text: str, source: str) -> tuple[x509.Certificate, ...]:
    """The CAs of a PEM text. Raises Malformed or Unacceptable."""
    found = pem.certificates(text.encode(), source)
    if not found:
        raise Malformed(f"{source}: holds no certificate", hint="give the root certificate of the clients, in PEM")
    require_cas(found, source)
    return found


def _error(code: str, message: str, fix: str, reference: str) -> Finding:
    return Finding(code, Severity.ERROR, message, fix, reference)


def _key_problems(leaf: x509.Certificate, key: PrivateKey) -> Iterator[Finding]:
    if leaf.public_key() != key.public_key():
        message = "its key is not the one that was given"
        yield _error("key-mismatch", message, "give the key that belongs to the certificate", "RFC 8446 section 4.4.3")


def _purpose_problems(leaf: x509.Certificate) -> Iterator[Finding]:
    reference = "RFC 5280 section 4.2.1.12"
    if is_ca(leaf):
        yield _error("server-is-ca", "it is a CA certificate", "give the server's certificate first", reference)
        return
    try:
        usages = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        yield _error("no-purpose", "it does not say that it is for servers", _AGAIN, reference)
        return
    if SERVER_AUTH not in usages:
        yield _error("not-for-servers", "it is not for servers (no serverAuth)", _AGAIN, reference)


def _name_problems(leaf: x509.Certificate, names: Sequence[str]) -> Iterator[Finding]:
    try:
        general = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        certified: tuple[Name, ...] = ()
    else:
        certified = tuple(from_general_names(general))
    for text in names:
        name = parse_name(text)
        if not any(covers(one, name) for one in certified):
            listed = ", ".join(one.value for one in certified) or "no name at all"
            message = f"it is not for {text}; it is for {listed}"
            yield _error("name-not-covered", message, f"issue one for {text}, or use a name it has", "RFC 9525")


def covers(certified: Name, wanted: Name) -> bool:
    """Whether a name in a certificate covers this one; a wildcard covers one label (RFC 9525 section 6.3)."""
    if certified.kind is not wanted.kind:
        return False
    if certified.kind is NameKind.DNS and certified.value.startswith("*."):
        label, _, rest = wanted.value.partition(".")
        return bool(label) and rest == certified.value[2:]
    return certified.value == wanted.value


def _date_problems(leaf: x509.Certificate, now: datetime) -> Iterator[Finding]:
    reference = "RFC 5280 section 4.1.2.5"
    if now > leaf.not_valid_after_utc:
        message = f"it expired on {leaf.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
        yield _error("expired", message, "renew it: handfast renew NAME", reference)
    if now < leaf.not_valid_before_utc:
        message = f"it begins only on {leaf.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
        yield _error("not-yet-valid", message, "check the clock of this machine", reference)


def _order_problems(chain: Sequence[x509.Certificate]) -> Iterator[Finding]:
    for child, parent in pairwise(chain):
        try:
            child.verify_directly_issued_by(parent)
        except (InvalidSignature, UnsupportedAlgorithm, TypeError, ValueError):
            message = f"{child.subject.rfc4514_string()} is not signed by the certificate that follows it"
            fix = "put the server's certificate first, then its intermediates in order"
            yield _error("chain-order", message, fix, "RFC 8446 section 4.4.2")
