"""Each alternative name is spelled as its standard says: A-labels, no blanks (RFC 5280 section 4.2.1.6)."""

from collections.abc import Iterator

from cryptography import x509

from handfast.errors import Malformed
from handfast.findings import Finding, Severity
from handfast.pki.draft import Draft
from handfast.pki.names import from_general_names

CODES = {
    "name-misspelled": "a name in the certificate is not spelled as its standard says: clients disagree about it",
    "name-kind-unknown": "the certificate has a name of a kind that handfast does not compare",
}


_KNOWN = (x509.DNSName, x509.IPAddress, x509.RFC822Name, x509.UniformResourceIdentifier)


def check(draft: Draft) -> Iterator[Finding]:
    """The names of a draft from a profile were parsed when they came in; a foreign certificate's are read now."""
    extension = draft.find(x509.SubjectAlternativeName)
    if extension is None or (draft.profile is not None and len(draft.names) == len(list(extension.value))):
        return
    for general_name in extension.value:
        if not isinstance(general_name, _KNOWN):
            message = f"the certificate has a name of the kind {type(general_name).__name__}"
            fix = "nothing to do, if something that you use reads it"
            yield Finding("name-kind-unknown", Severity.NOTICE, message, fix, "RFC 5280 section 4.2.1.6")
            continue
        try:
            from_general_names([general_name])
        except Malformed as malformed:
            first_line = malformed.message.split("\n")[0]
            message = f"the name {str(general_name.value)[:100]!r} is misspelled: {first_line}"
            yield Finding("name-misspelled", Severity.WARNING, message, malformed.hint, "RFC 5280 section 4.2.1.6")
