"""A server's common name is one of its names (TLS BR section 7.1.4.3): clients no longer look at it."""

from collections.abc import Iterator

from cryptography import x509
from cryptography.x509.oid import NameOID

from handfast.findings import Finding, Severity
from handfast.pki.draft import Draft
from handfast.pki.oids import SERVER_AUTH

CODES = {
    "cn-not-among-names": "the common name looks like a host name that the certificate does not prove",
}


_COMMON_NAME = NameOID.COMMON_NAME


def check(draft: Draft) -> Iterator[Finding]:
    """A warning: the certificate works, but not for the name that a person reads in it."""
    usage = draft.find(x509.ExtendedKeyUsage)
    if usage is None or SERVER_AUTH not in usage.value:
        return
    proven = {name.value for name in draft.names}
    for attribute in draft.subject.get_attributes_for_oid(_COMMON_NAME):
        text = str(attribute.value)
        if text.lower() not in proven and "." in text and " " not in text:
            message = f"the common name {text!r} is not among the names: no client accepts the certificate for it"
            fix = f"add the name dns:{text}, or use another common name"
            yield Finding("cn-not-among-names", Severity.WARNING, message, fix, "TLS BR section 7.1.4.3")
